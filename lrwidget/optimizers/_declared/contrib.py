"""The optimizers of ``optax.contrib``: newer ones, and those that find their rate themselves."""

from __future__ import annotations

from lrwidget.optimizers._declaration import Hyperparameter
from lrwidget.optimizers._declared._arguments import (
    B1,
    B2,
    DECAY,
    EPS,
    EPS_ROOT,
    MASK,
    MU_DTYPE,
    NESTEROV,
    PENALTY,
    choice,
    contrib,
    dtype,
    fading,
    flag,
    function,
    integer,
    like,
    mean,
    number,
    rate,
)

_BETAS = Hyperparameter(
    name="betas",
    default=(0.9, 0.999),
    kind="numbers",
    high=1.0,
    high_open=True,
    help="decay of the means of the gradients and of their squares",
)
# Both estimate the rate from sums that were begun with it.
_FIRST_RATE = number("estim_lr0", 1e-6, "first estimate of the rate", live=False, low_open=True)
_ONE = {"required": False, "help": "times the rate that it finds; 1 is right"}
_LOWER_BOUND = number(
    "lower_bound", 0.0, "the lowest loss that can be reached", low=None, live=False
)
_ADAPT = flag("adapt_lower_bound", default=False, help="estimate that loss while training")
NS_COEFFS = Hyperparameter(
    name="ns_coeffs",
    default=(3.4445, -4.775, 2.0315),
    kind="numbers",
    low=None,
    help="polynomial of a Newton-Schulz step",
)
NS_STEPS = integer("ns_steps", 5, "Newton-Schulz steps to an orthogonal update", low=1.0)
BETA = mean("beta", 0.95, "decay of the mean of the gradients")
ADAPTIVE = flag("adaptive", default=False, help="scale with the size of the gradients")
PRECONDITIONING = choice(
    "preconditioning",
    "frobenius",
    ("frobenius", "spectral", "aol", "schatten"),
    "norm by which a matrix is divided first",
)
CLIP_VALUE = function("clip_value_fn", "largest update by step; the step's fourth root where None")
AVERAGE = (
    # The state keeps the first value, and evaluation uses that one.
    fading("b1", 0.9, "how near the average the gradients are taken", live=False, low_open=True),
    number("weight_lr_power", 2.0, "power of the largest rate by which a step weighs"),
    dtype("state_dtype", None, "type of the second copy; that of the parameters where None"),
)
_WARMUP = integer("warmup_steps", None, "steps over which the rate rises; none where None", low=1.0)

NEWER = (
    contrib(
        "muon",
        "momentum made orthogonal for matrices, AdamW for the rest (Jordan 2024; Liu et al. 2025, "
        "arXiv 2502.16982)",
        rate(0.02),
        NS_COEFFS,
        NS_STEPS,
        BETA,
        EPS,
        like(DECAY, default=0.0),
        like(MASK, name="weight_decay_mask"),
        MU_DTYPE,
        like(NESTEROV, default=True),
        ADAPTIVE,
        PRECONDITIONING,
        mean("adam_b1", 0.9, "AdamW's decay of the mean of the gradients"),
        mean("adam_b2", 0.999, "AdamW's decay of the mean of the squares"),
        number("adam_eps_root", 0.0, "AdamW's addition under the root"),
        number("adam_weight_decay", 0.0, "AdamW's weight decay"),
        rate(
            None,
            name="adam_learning_rate",
            required=False,
            optional=True,
            help="AdamW's size of a step; Muon's where None",
        ),
        function(
            "muon_weight_dimension_numbers", "axes of each matrix; two-axis arrays where None"
        ),
        number(
            "consistent_rms",
            None,
            "root mean square of an update, 0.2 to match AdamW; by shape where None",
            optional=True,
        ),
    ),
    contrib(
        "adopt",
        "Adam that converges with any b2 (Taniguchi et al. 2024, arXiv 2403.00855)",
        rate(1e-3),
        like(B1, decay=False),
        like(B2, default=0.9999, decay=False),
        like(EPS, default=1e-6, help="smallest denominator"),
        MU_DTYPE,
        NESTEROV,
        flag("use_clipping", default=True, help="bound the first updates"),
        CLIP_VALUE,
    ),
    contrib(
        "ademamix",
        "AdamW with a second, far slower momentum (Pagliardini et al. 2024, arXiv 2409.03137)",
        rate(1e-3),
        B1,
        B2,
        mean("b3", 0.9999, "decay of the slow mean", schedulable=True),
        number("alpha", 5.0, "weight of the slow mean", schedulable=True),
        EPS,
        EPS_ROOT,
        MU_DTYPE,
        like(DECAY, default=0.0),
        MASK,
    ),
    contrib(
        "simplified_ademamix",
        "AdEMAMix with one momentum, which sums (Morwani et al. 2025, arXiv 2502.02431)",
        rate(1e-5),
        fading("b1", 0.99, "decay of the sum of the gradients"),
        like(B2, default=0.95, decay=False),
        number("alpha", 0.0, "weight of the newest gradient", schedulable=True),
        EPS,
        EPS_ROOT,
        like(DECAY, default=0.0),
        MASK,
    ),
    contrib(
        "acprop",
        "AdaBelief with the last step's denominator (Zhuang et al. 2021, arXiv 2110.05454)",
        rate(1e-3),
        B1,
        like(B2, help="decay of the mean of the squared surprises"),
        like(EPS, default=1e-16),
        like(EPS_ROOT, default=1e-16),
        like(DECAY, default=0.0),
        MASK,
    ),
    contrib(
        "sophia",
        "momentum divided by an estimate of the curvature (Liu et al. 2023, arXiv 2305.14342)",
        rate(1e-3),
        like(B1, default=0.965),
        like(B2, default=0.99, help="decay of the mean of the curvature"),
        like(EPS, help="smallest denominator"),
        DECAY,
        like(MASK, name="weight_decay_mask"),
        number("gamma", 0.01, "times the curvature in the denominator"),
        number("clip_threshold", 1.0, "largest entry of an update; none where None", optional=True),
        integer("update_interval", 10, "steps from one estimate to the next", low=1.0),
        function("hessian_diagonal_fn", "estimator of the curvature; Hutchinson's where None"),
        MU_DTYPE,
        needs=("obj_fn",),
        one_type=True,
    ),
    contrib(
        "galore",
        "Adam on low-rank projections of the gradients, to save memory (Zhao et al. 2024, "
        "arXiv 2403.03507)",
        rate(1e-3),
        integer("rank", 128, "rank of the projections", low=1.0),
        integer("update_proj_gap", 200, "steps from one projection to the next", low=1.0),
        number("scale", 1.0, "times the projected updates"),
        Hyperparameter(
            name="base_optimizer",
            default=None,
            kind="chain",
            help="what the projections pass through; scale_by_adam where None",
        ),
        like(DECAY, default=0.0),
        MASK,
        function("weight_dimension_numbers", "axes of each matrix; two-axis arrays where None"),
    ),
    contrib(
        "madgrad",
        "AdaGrad with cube roots, as dual averaging (Defazio and Jelassi 2021, arXiv 2101.11075)",
        rate(0.01),
        mean("momentum", 0.9, "how far the parameters stay behind the average"),
        PENALTY,
        like(EPS, default=1e-6, help="added to the rate and to the cube root"),
    ),
    contrib(
        "schedule_free_adamw",
        "AdamW that averages its path in place of a schedule (Defazio et al. 2024, "
        "arXiv 2405.15682)",
        rate(0.0025, required=False, schedulable=False),
        _WARMUP,
        AVERAGE[0],
        B2,
        EPS,
        like(DECAY, default=0.0),
        *AVERAGE[1:],
        evaluate="schedule_free",
        reports=("max_lr",),
    ),
    contrib(
        "schedule_free_sgd",
        "gradient descent that averages its path in place of a schedule (Defazio et al. 2024, "
        "arXiv 2405.15682)",
        rate(1.0, required=False, schedulable=False),
        _WARMUP,
        AVERAGE[0],
        like(PENALTY, default=None, optional=True),
        *AVERAGE[1:],
        evaluate="schedule_free",
        reports=("max_lr",),
    ),
)

FREE = (
    contrib(
        "prodigy",
        "Adam that estimates its rate by the distance travelled (Mishchenko and Defazio 2023, "
        "arXiv 2306.06101)",
        rate(1.0, **_ONE),
        _BETAS,
        fading(
            "beta3",
            None,
            "decay of the sums behind the estimate; the root of the second beta where None",
            optional=True,
        ),
        EPS,
        _FIRST_RATE,
        number("estim_lr_coef", 1.0, "times the estimate"),
        like(DECAY, default=0.0),
        flag("safeguard_warmup", default=False, help="estimate without the warmup's small rates"),
        category="free",
        expects_one=True,
        reports=("estim_lr",),
        scale="estim_lr",
    ),
    contrib(
        "dadapt_adamw",
        "AdamW that estimates its rate (Defazio and Mishchenko 2023, arXiv 2301.07733)",
        rate(1.0, **_ONE),
        _BETAS,
        EPS,
        _FIRST_RATE,
        like(DECAY, default=0.0),
        category="free",
        expects_one=True,
        reports=("estim_lr",),
        scale="estim_lr",
    ),
    contrib(
        "dog",
        "gradient descent, its rate the distance travelled over the gradients' sum (Ivgi et al. "
        "2023, arXiv 2302.12022)",
        rate(1.0, **_ONE),
        function("init_step", "kind and size of the first step; ('heuristic', 1e-6) where None"),
        like(EPS, help="added to the sum of the squared gradients"),
        like(PENALTY, default=None, optional=True),
        MASK,
        category="free",
        expects_one=True,
        reports=("max_dist",),
    ),
    contrib(
        "dowg",
        "DoG with larger weights for later steps (Khaled et al. 2023, arXiv 2305.16284)",
        rate(1.0, **_ONE),
        number(
            "init_estim_sq_dist",
            None,
            "squared distance at the start; eps where None",
            optional=True,
            live=False,
        ),
        like(EPS, default=1e-4, help="added to the denominator"),
        like(PENALTY, default=None, optional=True),
        MASK,
        category="free",
        expects_one=True,
        reports=("estim_sq_dist",),
    ),
    contrib(
        "cocob",
        "each weight bets on its gradient's sign (Orabona and Tommasi 2017, arXiv 1705.07795)",
        rate(1.0, required=False, help="times the gradients, which changes little; 1 is right"),
        number("alpha", 100.0, "share of the largest gradients that bounds the first bets"),
        # Only the first denominator has it.
        like(EPS, live=False, help="largest gradient at the start"),
        PENALTY,
        MASK,
        category="free",
        expects_one=True,
    ),
    contrib(
        "momo",
        "momentum with a step from the loss, below the rate (Schaipp et al. 2023, "
        "arXiv 2305.07583)",
        rate(1.0, required=False, help="largest size of a step"),
        fading("beta", 0.9, "decay of the means of gradients and loss"),
        _LOWER_BOUND,
        like(DECAY, default=0.0),
        _ADAPT,
        category="free",
        needs=("value",),
        reports=("barf", "lb"),
    ),
    contrib(
        "momo_adam",
        "Adam with a step from the loss, below the rate (Schaipp et al. 2023, arXiv 2305.07583)",
        rate(0.01, required=False, help="largest size of a step"),
        B1,
        B2,
        EPS,
        _LOWER_BOUND,
        like(DECAY, default=0.0),
        _ADAPT,
        category="free",
        needs=("value",),
        reports=("barf", "lb"),
    ),
)
