"""What notebooks/finding.ipynb says of rates and of the ways to find them is so.

The lesson's climb of the learning rate is run here, from its own cells. Everything else is read off
what the committed notebook has printed; soak tests run the whole lesson again and read that.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "finding.ipynb"

AT_START = {"blobs, SGD": 1.44, "digits, Adam": 2.3}
SOAK = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def no_display():
    import matplotlib as mpl

    with mpl.rc_context({"backend": "agg"}):
        yield


def tagged(*tags):
    """Return the notebook's code cells that have one of the tags, or all of them."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    return [cell for cell in code if not tags or set(tags) & set(cell.metadata.get("tags", ()))]


def run(cells):
    """Return the names that the cells define, and what they print, by tag."""
    from matplotlib import pyplot as plt

    names, said = {}, {}
    for cell in cells:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(cell.source, names)
        plt.close("all")
        for tag in cell.metadata.get("tags", ()):
            said[tag] = said.get(tag, "") + printed.getvalue()
    return names, said


def shown():
    """Return what the committed cells have printed, by tag."""
    said = {}
    for cell in tagged():
        text = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
        for tag in cell.metadata.get("tags", ()):
            said[tag] = said.get(tag, "") + text
    return said


def numbers(pattern, text):
    """Return what the groups of the only match hold, as numbers."""
    (match,) = re.findall(pattern, text)
    return [float(number) for number in ([match] if isinstance(match, str) else match)]


def comparison(text):
    """Return chain to the (mean, low, high) of its final losses, and the best one, of a table."""
    rows = re.findall(
        r"^ +(\d\S*) +([\d.e-]+|diverged)(?: +([\d.e-]+) to ([\d.e-]+))?.*$", text, re.MULTILINE
    )
    (best,) = re.findall(r"^ +(\S+) .* best$", text, re.MULTILINE)
    return {
        name: (math.inf,) * 3 if mean == "diverged" else (float(mean), float(low), float(high))
        for name, mean, low, high in rows
    }, best


def table(text, name):
    """Return method to (rate, end, price) of the table of a task."""
    part = text.split(f"{name}  ")[-1].split("\n\n")[0]
    rows = re.findall(r"^(\S.*?) +([\d.e+-]+) +([\d.]+|inf) +(\d+)$", part, re.MULTILINE)
    return {method: tuple(map(float, values)) for method, *values in rows}


# ---- run here -----------------------------------------------------------------------------------


@pytest.mark.soak
def test_readers_of_one_curve_are_decades_apart():
    names, _ = run(tagged("setup", "climb"))
    said = dict(names["sweep"].suggestions)
    assert max(said.values()) > 1000 * min(said.values())
    del said["steepest_linear"]
    assert len(said) >= 6
    assert max(said.values()) > 10 * min(said.values())


# ---- the whole lesson, by those who have the time -----------------------------------------------


@pytest.fixture(scope="module")
def lesson():
    return run(tagged())


@pytest.fixture(scope="module", params=["shown", pytest.param("run", marks=SOAK)])
def said(request):
    return shown() if request.param == "shown" else request.getfixturevalue("lesson")[1]


@pytest.fixture(params=AT_START)
def eight(request, said):
    """The name of a task, the ends of its eight rates, and the best of them."""
    text = said["trial"].split("\n\n")[list(AT_START).index(request.param)]
    assert text.startswith(request.param)
    return request.param, *comparison(text)


def test_the_lowest_rates_do_next_to_nothing(eight):
    name, ends, _ = eight
    assert len(ends) == 8
    assert ends["1e-06"][1] > 0.98 * AT_START[name]
    assert ends["1e-05"][1] > 0.95 * AT_START[name]


def test_the_highest_are_lost_loudly_on_the_blobs_and_quietly_on_the_digits(eight):
    name, ends, _ = eight
    if name == "blobs, SGD":
        assert ends["10"] == (math.inf,) * 3
    else:
        np.testing.assert_allclose([ends["1"], ends["10"]], math.log(10), atol=0.05)


def test_the_best_of_eight_is_another_one_on_each_task(eight):
    name, ends, best = eight
    assert best == {"blobs, SGD": "1", "digits, Adam": "0.01"}[name]
    others = [low for rate, (_, low, _) in ends.items() if rate != best]
    assert min(others) > 1.2 * ends[best][2]


def test_eight_rates_cost_about_seven_thousand_steps(said):
    costs = re.findall(r"Comparison of 8: .* (\d+) gradient steps", said["trial"])
    assert len(costs) == 2
    assert all(6000 < int(cost) < 8000 for cost in costs)


def test_folk_defaults_are_somebody_elses_best(said):
    blobs, digits = said["folk"].split("\n\n")[:2]
    assert comparison(blobs)[1] == "0.1"
    ends, best = comparison(digits)
    assert best == "0.01"
    assert ends["0.001"][1] > 10 * ends["0.01"][2]
    # "All end much higher, and so far apart that three are too few to say by how much."
    assert ends["0.1"][1] > 10 * ends["0.01"][2]
    assert ends["0.1"][2] > 4 * ends["0.1"][1]
    low, high = numbers(r"\n +0\.1 .* worse: \S+ times \((\S+) to (\S+)\)", digits)
    assert 2.5 < low < 10
    assert 500 < high < 2000


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_by_its_first_hundred_steps_the_best_rate_would_have_been_thrown_away(lesson):
    losses = lesson[0]["trials"]["blobs, SGD"].losses
    assert losses["1"][:, 40:120].mean() > 1.2 * losses["0.1"][:, 40:120].mean()
    assert losses["1"][:, -60:].mean() < 0.8 * losses["0.1"][:, -60:].mean()


def test_the_bottom_of_the_smoothed_line_comes_late(said):
    rows = re.findall(r"^smoothing +(\S+): the bottom is at (\S+)$", said["range"], re.MULTILINE)
    assert [weight for weight, _ in rows] == ["0", "0.9", "0.98"]
    bottoms = [float(rate) for _, rate in rows]
    # Without smoothing it is where the loss itself is lowest, at about 0.01.
    assert 0.004 < bottoms[0] < 0.025
    assert bottoms == sorted(bottoms)
    assert bottoms[-1] > 2.5 * bottoms[0]


def test_the_blow_up_is_infinite_under_sgd_and_not_under_adam(said):
    assert re.search(r"^blobs, SGD +nan at a rate of", said["range"], re.MULTILINE)
    assert re.search(r"^digits, Adam +end at a rate of 100$", said["range"], re.MULTILINE)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_longer_climbs_are_read_lower_by_most_rules(lesson):
    short, long = (lesson[0]["sweeps"][n].suggestions_by_seed for n in (100, 400))
    rules = [name for name in short if np.isfinite(short[name]).any()]
    rules = [name for name in rules if np.isfinite(long[name]).any()]
    lower = [np.nanmedian(long[name]) < np.nanmedian(short[name]) for name in rules]
    assert sum(lower) > len(lower) / 2 > 2


def test_curvature_costs_25_gradients_and_is_no_best_rate(said):
    rows = re.findall(
        r"safe up to ([\d.e+-]+), critical rate \S+, ([\d.]+) grad", said["curvature"]
    )
    (blobs, blobs_price), (digits, digits_price) = [map(float, row) for row in rows]
    assert 4 * blobs < 1  # the best of the eight on the blobs
    assert digits > 0.01  # and on the digits
    assert 20 < blobs_price < 30
    assert 20 < digits_price < 30


def test_probes_keep_to_their_price_and_short_ones_want_a_higher_rate(said):
    assert numbers(r"Probe for 300 steps: \d+ runs, (\d+) grad", said["probe"])[0] <= 400
    best = dict(re.findall(r"^ +(\d+) steps: best near ([\d.]+)$", said["probe"], re.MULTILINE))
    assert list(best) == ["10", "30", "100", "300"]
    assert 1.2 < float(best["10"]) / float(best["300"]) < 2.5
    assert 0.7 < float(best["100"]) / float(best["300"]) < 1.4


def test_advice_comes_with_a_band_and_a_price(said):
    advice = re.findall(
        r"use ([\d.e+-]+); the best lies between ([\d.e+-]+) and ([\d.e+-]+) \(.*?\)\n"
        r".*?\((\d+) of (\d+) grad",
        said["advice"],
    )
    blobs, quick, thorough = [tuple(map(float, each)) for each in advice]
    for rate, low, high, spent, budget in (blobs, quick, thorough):
        assert low < rate < high
        assert 0.5 * budget < spent <= budget
    assert (quick[4], thorough[4]) == (400, 3000)
    assert thorough[2] / thorough[1] < quick[2] / quick[1]


def test_other_seeds_advise_the_same_within_a_factor_of_two_or_so(said):
    rows = re.findall(r"^seed \d: (\S+) for the blobs, (\S+) for the", said["advice"], re.MULTILINE)
    each = np.array(rows, float)
    assert each.shape == (3, 2)
    assert (each.max(0) < 2.5 * each.min(0)).all()


def test_refusals_say_why_and_what_would_help(said):
    refused = re.findall(r"^(.+?): (.+)\n    (.+)$", said["refusal"], re.MULTILINE)
    reasons = {name: reason for name, reason, _ in refused}
    assert list(reasons) == ["frozen", "one batch", "NaN"]
    assert "gradient is exactly zero" in reasons["frozen"]
    assert "one batch of 16 examples" in reasons["one batch"]
    assert "nan" in reasons["NaN"]
    assert all(remedy for *_, remedy in refused)


@pytest.mark.parametrize("name", AT_START)
def test_run_in_full_the_advice_ends_close_to_the_best_of_the_grid(said, name):
    rows = table(said["judge"], name)
    best = rows.pop("best of 13")[1]
    little = 0.02 * (AT_START[name] - best)
    advice = [method for method in rows if method.endswith("advice")]
    assert advice
    for method in advice:
        assert rows[method][1] < best + little
    # "Most rules are too careful here", and "steepest does well on both".
    for rule in ("valley", "slide", "minimum"):
        assert rows[rule][1] > max(rows[method][1] for method in advice)
    assert rows["steepest"][1] < best + little
    assert rows["safe up to"][1] > max(rows[method][1] for method in advice)


def test_the_folk_rate_001_is_best_on_the_digits_and_useless_on_the_blobs(said):
    blobs, digits = (table(said["judge"], name) for name in AT_START)
    assert digits["folk 0.01"][1] <= min(end for _, end, _ in digits.values())
    assert blobs["folk 0.01"][1] > 3 * blobs["quick advice"][1]


def test_trained_with_the_advice_the_digits_are_read_better(said):
    rows = re.findall(r"loss ([\d.]+), ([\d.]+)% of new", said["train"])
    (folk, folk_right), (advised, advised_right) = [map(float, row) for row in rows]
    assert advised < 0.3 * folk
    assert advised_right > folk_right + 0.5
