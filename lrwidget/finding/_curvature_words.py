"""What a curvature means for the rate, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrwidget._numbers import number, short_rate

if TYPE_CHECKING:
    from lrwidget.finding._critical import Edge


def meaning(
    sharpness: float | None,
    edge: float | None,
    safe: float | None,
    critical: float | None,
    found: Edge,
    preconditioned: bool,  # noqa: FBT001
    without_clipping: bool,  # noqa: FBT001
    *,
    first: bool,
) -> str:
    """Return what the numbers of a `Curvature` say, in sentences."""
    parts = []
    if safe is not None and sharpness is not None and edge is not None:
        scale = ", in the scale in which the optimizer steps" if preconditioned else ""
        parts.append(
            f"Safe up to {short_rate(safe)}: at this rate a small swing across the sharpest valley "
            f"still dies away ({number(edge, 2)} over the sharpness {number(sharpness)} of the "
            f"first batch{scale}). "
            + (
                "That holds for where training begins. Training often flattens what is too sharp, "
                "so that two to four times as much may work, and a warm-up allows more."
                if first
                else "That holds for where the run is now."
            )
        )
        if without_clipping:
            parts.append("Clipping, left out here, allows more while gradients are large.")
    elif sharpness is not None and sharpness <= 0.0:
        parts.append("The loss curves upwards in no direction here, so no rate is known as safe.")
    else:
        parts.append(
            "No safe rate can be computed: the size of this optimizer's steps is not in "
            "proportion to the gradient of each weight."
        )
    if critical is not None:
        parts.append(
            f"Critical {short_rate(critical)}: one typical update at this rate leaves the loss of "
            "its batch where it was, and a larger one raises it."
        )
    elif found.never:
        parts.append("No rate that was tried raised the loss in one update.")
    else:
        parts.append("The optimizer's updates do not go downhill here, at any rate that was tried.")
    return " ".join(parts)
