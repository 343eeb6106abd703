"""The measured speed of a run."""

from __future__ import annotations

from lrwidget.training._tempo import Tempo


def test_going_back_is_no_speed():
    tempo = Tempo(chunk=8, longest=64, pace=None)
    for position in (250, 300):
        tempo.read(None, 50, position)
    ahead = tempo.steps_per_second
    for position in (100, 120):
        tempo.read(None, 20, position)
    again = tempo.steps_per_second
    # None: both at one tick of a coarse clock.
    assert all(speed is None or speed > 0 for speed in (ahead, again))
