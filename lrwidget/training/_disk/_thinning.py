"""Which snapshots to give up when there are too many."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def surplus(sizes: Mapping[int, int], budget: float, keep: Collection[int] = ()) -> list[int]:
    """Return the steps of the snapshots to give up, so that the rest fits into `budget`.

    The first and the last stay, and those in `keep`, even where these alone are too many. Of the
    others the one goes whose absence is felt least: where the hole that it leaves is smallest in
    relation to its age. What stays is dense near the last snapshot and sparser, by a constant
    factor, the longer ago.

    Parameters
    ----------
    sizes
        Step -> bytes of each snapshot.
    budget
        Bytes that they may take together.
    keep
        Steps of snapshots that must stay.
    """
    steps = sorted(sizes)
    total = sum(sizes.values())
    gone = []
    while total > budget:
        holes = [
            ((later - earlier) / (steps[-1] - step), step)
            for earlier, step, later in zip(steps, steps[1:], steps[2:], strict=False)
            if step not in keep
        ]
        if not holes:
            break
        _, step = min(holes)
        steps.remove(step)
        gone.append(step)
        total -= sizes[step]
    return gone
