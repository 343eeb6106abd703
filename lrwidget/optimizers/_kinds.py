"""What kind a parameter is, told from its path; exported code contains this very text."""


def kind_of(path, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return kernel, bias, norm or embedding for a parameter's path and shape."""
    *parents, name = path.lower().split("/")
    if "norm" in path.lower() or name in ("scale", "gamma", "beta"):
        return "norm"
    if name == "embedding" or any("embed" in parent for parent in parents):
        return "embedding"
    return "bias" if name == "bias" or len(shape) < 2 else "kernel"
