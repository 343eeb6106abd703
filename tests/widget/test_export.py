"""A design as text: code that runs, data that comes back, a picture that stands alone."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lrwidget import Chain, Schedule, optimizers, schedules
from lrwidget.schedules import Segment
from lrwidget.schedules._table import rows_of
from lrwidget.widget import ScheduleDesigner
from lrwidget.widget._export import FORMATS, exported
from lrwidget.widget._file import Kept, read_design
from lrwidget.widget._tracks import Design
from tests.widget.page import Page

COSINE = schedules.preset("cosine", peak_value=3e-3, steps=500)
B1 = Schedule(
    Segment("linear", 200, init_value=0.95, end_value=0.85),
    Segment("linear", 300, init_value=0.85, end_value=0.95),
)
DECAY = schedules.preset("step", peak_value=0.05, steps=900)
TRACKS = {"b1": B1, "weight_decay": DECAY}


@pytest.fixture
def page():
    return Page(ScheduleDesigner(COSINE, tracks=TRACKS))


def rows(text):
    head, *lines = csv.reader(io.StringIO(text))
    assert head == ["step", "value"]
    return np.array([[float(cell) for cell in line] for line in lines]).T


@pytest.mark.parametrize("kind", FORMATS)
def test_each_has_a_text_a_name_and_a_type(page, kind):
    given = page.ask("export.text", format=kind)
    assert set(given) == {"text", "name", "type"}
    assert re.fullmatch(r"\w+\.(py|json|csv|svg)", given["name"])
    assert given["text"].endswith(("\n", "</svg>", "}"))
    assert page.updates("_design") == []


def test_optax_code_is_the_code_that_is_proved(page):
    assert page.ask("export.text", format="optax")["text"] == page.widget._code["text"]


@pytest.mark.parametrize("chain", [None, optimizers.adamw(1e-3)])
def test_pytorch_code_defines_every_track(chain):
    page = Page(ScheduleDesigner(COSINE, tracks=TRACKS, chain=chain))
    module = {}
    exec(page.ask("export.text", format="pytorch", track="b1")["text"], module)
    for name, curve in {"learning_rate": COSINE, **TRACKS}.items():
        got = [module[name](step) for step in range(1000)]
        np.testing.assert_allclose(got, curve(np.arange(1000)), atol=1e-6 * curve.peak_value)


def test_keras_code_defines_every_track(page):
    text = page.ask("export.text", format="keras")["text"]
    compile(text, "keras", "exec")
    for name in ("learning_rate", *TRACKS):
        assert re.search(rf"^{name} = \w+\(\)$", text, re.MULTILINE)
    assert text.count("import keras\n") == 1


def test_json_is_the_whole_design_or_one_curve_of_it(page):
    whole = page.ask("export.text", format="json")
    assert whole["name"] == "design.json"
    assert read_design(whole["text"]) == Kept(schedule=COSINE, tracks=TRACKS)
    one = page.ask("export.text", format="json", track="b1")
    assert (one["name"], Schedule.from_json(one["text"])) == ("b1.json", B1)
    rate = page.ask("export.text", format="json", track="learning_rate")
    assert Schedule.from_json(rate["text"]) == COSINE


def test_json_without_tracks_is_the_schedule():
    given = Page(ScheduleDesigner(COSINE)).ask("export.text", format="json")
    assert (given["name"], Schedule.from_json(given["text"])) == ("learning_rate.json", COSINE)
    assert json.loads(given["text"])["schema"] == "lrwidget/schedule"


def test_csv_has_every_step_of_a_short_curve(page):
    given = page.ask("export.text", format="csv")
    steps, values = rows(given["text"])
    assert given["name"] == "learning_rate.csv"
    np.testing.assert_array_equal(steps, np.arange(501))
    np.testing.assert_array_equal(values, COSINE(np.arange(501)))
    assert page.ask("export.text", format="csv", track="b1")["name"] == "b1.csv"


def test_a_track_of_a_chain_is_found_by_both_its_names():
    page = Page(ScheduleDesigner(COSINE, tracks=TRACKS, chain=optimizers.adamw(1e-3)))
    for track in ("b1", "adamw.b1"):
        given = page.ask("export.text", format="csv", track=track)
        assert given["name"] == "b1.csv"
        np.testing.assert_array_equal(rows(given["text"])[1], B1(np.arange(501)))


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.preset("step", peak_value=0.1, steps=1_000_003),
        schedules.knots(range(0, 80_000, 20), [i % 7 / 7 for i in range(4000)]),
        Schedule(*(Segment("constant", 3, value=i % 5 / 5) for i in range(9000))),
        schedules.constant(0.1),
        Schedule(Segment("linear", 40_000), Segment("constant", value=0.1)),
    ],
    ids=["three jumps", "4000 knots", "9000 jumps", "no end", "no end after a ramp"],
)
def test_csv_of_a_long_curve_is_even_and_has_all_borders(schedule):
    steps = rows_of(schedule)
    last = schedule.steps or max(2 * max(schedule.borders, default=0), 1000)
    assert len(steps) <= 10_000
    assert set(schedule.borders) <= set(steps.tolist())
    assert (steps[0], steps[-1]) == (0, last)
    assert np.diff(steps).max() <= max(2 * last / 1000, 1)
    assert (np.diff(steps) > 0).all()


def test_a_picture_stands_alone_on_a_light_ground(page):
    given = page.ask("export.text", format="svg")
    root = ET.fromstring(given["text"])
    assert given["type"] == "image/svg+xml"
    assert "prefers-color-scheme" not in given["text"]
    first = root.find("{http://www.w3.org/2000/svg}rect")
    assert first.get("fill") == "#ffffff"
    words = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"b1", "weight_decay"} <= words


def test_a_chain_that_has_no_text_still_has_its_schedules():
    chain = Chain.of(optimizers.adamw(COSINE, b1=B1, mask=lambda params: params))
    page = Page(ScheduleDesigner(chain=chain))
    text = page.ask("export.text", format="optax")["text"]
    assert "learning_rate = " in text
    assert "b1 = " in text
    assert "adamw" not in text


def test_no_function_of_ours_takes_the_name_of_a_track():
    cooled = schedules.preset("cooldown", peak_value=1e-3, steps=100)
    design = Design.of(cooled, {"learning_rate_base": Schedule(Segment("constant", value=0.3))})
    names: dict = {}
    exec(exported(design, "optax")["text"], names)
    assert float(names["learning_rate"](50)) == pytest.approx(cooled(50), rel=1e-6)
    assert float(names["learning_rate_base"](50)) == pytest.approx(0.3)


def test_pytorch_gets_the_two_betas_as_the_pair_that_it_knows():
    half = Schedule(Segment("constant", value=0.5))
    text = exported(Design.of(half, {"b2": half, "weight_decay": half}), "pytorch")["text"]
    assert '#     group["betas"] = (group["betas"][0], b2(step))\n' in text
    assert '#     group["weight_decay"] = weight_decay(step)\n' in text
    assert "torch.optim.AdamW" in text
    assert "torch.optim.SGD" in exported(Design.of(half, {"momentum": half}), "pytorch")["text"]
