"""Cells of notebooks: pytest must not import them."""

collect_ignore_glob = ["*_loop.py"]
