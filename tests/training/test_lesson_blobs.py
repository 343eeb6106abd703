"""The learning rates of notebooks/training.ipynb behave as the lesson says.

The lesson's own cells are run here: those that are tagged ``weight`` and ``blobs``.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest

import lrwidget as lrw

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "training.ipynb"

WORDS = {
    1e-6: "stuck",
    1e-5: "stuck",
    1e-4: "stuck",
    1e-3: "converging",
    1e-2: "converging",
    0.1: "converging",
    1.0: "overshooting",
    10.0: "diverging",
}


def tagged(tag):
    """Return the notebook's code cells that have a tag."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def run(tag):
    """Return the names that the tagged cells define."""
    names = {}
    for cell in tagged(tag):
        exec(cell.source, names)
    return names


@pytest.fixture(scope="module")
def blobs():
    return run("blobs")


@pytest.fixture(scope="module")
def weight():
    return run("weight")


def rates_with(word):
    return [rate for rate, said in WORDS.items() if said == word]


def mean_of_ten(losses):
    return np.lib.stride_tricks.sliding_window_view(losses, 10).mean(axis=1)


def test_each_decade_has_the_name_that_the_lesson_gives_it(blobs):
    assert blobs["verdicts"] == WORDS


def test_the_committed_table_says_the_same():
    *_, cell = tagged("blobs")
    (output,) = cell.outputs
    rows = [line.split() for line in output.text.splitlines()]
    assert {float(row[0]): row[-1] for row in rows} == WORDS


@pytest.mark.parametrize("rate", rates_with("stuck"))
def test_stuck_is_a_whole_run_for_less_than_a_tenth_of_the_loss(blobs, rate):
    losses = blobs["losses"][rate]
    assert len(losses) == 300
    assert losses[-50:].mean() > 0.9 * blobs["at_start"]


def test_converging_goes_down_without_going_up_and_faster_at_a_higher_rate(blobs):
    before = blobs["losses"][1e-4][-50:].mean()
    for rate in rates_with("converging"):
        losses = blobs["losses"][rate]
        thirds = losses.reshape(3, 100).mean(axis=1)
        assert len(losses) == 300
        assert list(thirds) == sorted(thirds, reverse=True)
        assert mean_of_ten(losses).max() < 1.05 * blobs["at_start"]
        assert losses[-50:].mean() < 0.8 * before
        before = losses[-50:].mean()
    assert before < 0.25 * blobs["at_start"]


@pytest.mark.parametrize("rate", rates_with("overshooting"))
def test_overshooting_jumps_above_the_start_and_ends_worse_than_a_lower_rate(blobs, rate):
    losses = blobs["losses"][rate]
    assert len(losses) == 300
    assert np.isfinite(losses).all()
    assert mean_of_ten(losses).max() > 1.5 * blobs["at_start"]
    assert losses[-50:].mean() > 1.5 * blobs["losses"][0.1][-50:].mean()


@pytest.mark.parametrize("rate", rates_with("diverging"))
def test_diverging_leaves_all_numbers_within_a_few_steps(blobs, rate):
    losses = blobs["losses"][rate]
    assert len(losses) < 50
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1])


@pytest.mark.parametrize("rate", [0.005, 0.1, 0.9, 1.05])
def test_one_weight_moves_as_the_arithmetic_says(weight, rate):
    trainer = lrw.Trainer(weight["line"], lrw.optimizers.sgd(rate), steps=12)
    trainer.run_sync()
    # The slope of the loss is 2 (w - 2): each step multiplies the distance by 1 - 2 rate.
    expected = 2 - 2 * (1 - 2 * rate) ** np.arange(12)
    np.testing.assert_allclose(trainer.history["w"], expected, rtol=1e-4, atol=1e-5)
