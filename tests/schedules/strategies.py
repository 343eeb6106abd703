"""Random schedules for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from lrwidget.schedules import Schedule, Segment

LEVELS = st.floats(1e-7, 1.0)
STEPS = st.integers(1, 120)


@st.composite
def segments(draw, *, positive=False):
    """Draw one segment of any built-in shape; values may be zero unless `positive`."""
    shape = draw(st.sampled_from(["constant", "linear", "cosine", "polynomial", "exponential"]))
    level = LEVELS if positive or shape == "exponential" else st.one_of(st.just(0.0), LEVELS)
    if shape == "constant":
        parameters = {"value": draw(level)}
    else:
        parameters = {"init_value": draw(level), "end_value": draw(level)}
    free = {"cosine": "exponent", "polynomial": "power"}.get(shape)
    if free:
        parameters[free] = draw(st.sampled_from([0.5, 1.0, 2.0, 3.5]))
    return Segment(shape, draw(STEPS), **parameters)


@st.composite
def schedules(draw, *, positive=False):
    """Draw a schedule of one to five segments, some cut out of longer ones."""
    parts = draw(st.lists(segments(positive=positive), min_size=1, max_size=5))
    schedule = Schedule(*parts)
    total = schedule.steps
    if total > 4 and draw(st.booleans()):
        start = draw(st.integers(0, total // 2))
        schedule = schedule.sliced(start, draw(st.integers(1, total - start)))
    return schedule
