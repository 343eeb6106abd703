"""What is done to the gradients before an optimizer gets them."""

from __future__ import annotations

from lrwidget.optimizers._declared._arguments import integer, number, optax

GRADIENTS = (
    optax(
        "clip_by_global_norm",
        "scale all gradients down together where their norm is larger (Pascanu et al. 2012, "
        "arXiv 1211.5063)",
        number(
            "max_norm", 1.0, "largest norm of all gradients together", required=True, low_open=True
        ),
        category="gradient",
        one_type=True,
    ),
    optax(
        "clip",
        "cut every entry of the gradients off at a size",
        number("max_delta", 1.0, "largest size of an entry", required=True),
        category="gradient",
    ),
    optax(
        "clip_by_block_rms",
        "scale each array of gradients down where its root mean square is larger",
        number(
            "threshold", 1.0, "largest root mean square of an array", required=True, low_open=True
        ),
        category="gradient",
    ),
    optax(
        "adaptive_grad_clip",
        "scale each unit's gradients down where they are large beside its weights (Brock et al. "
        "2021, arXiv 2102.06171)",
        number("clipping", 0.01, "largest norm, as a share of the weights'", required=True),
        number("eps", 1e-3, "smallest norm that weights count as having"),
        integer("axis", None, "axis of a unit's weights; by shape where None", low=None),
        category="gradient",
    ),
    optax(
        "zero_nans",
        "put zero where a gradient is not a number",
        category="gradient",
    ),
    optax(
        "centralize",
        "take each unit's mean gradient off (Yong et al. 2020, arXiv 2004.01461)",
        category="gradient",
    ),
    optax(
        "add_noise",
        "add noise that fades (Neelakantan et al. 2015, arXiv 1511.06807)",
        number("eta", 0.01, "variance of the noise at the first step", required=True),
        number("gamma", 0.55, "power of the step by which it falls", required=True),
        integer("key", 0, "seed of the noise", required=True),
        category="gradient",
    ),
)
