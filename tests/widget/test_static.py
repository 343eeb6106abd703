"""The pictures for places without a front end: well-formed, self-contained, readable to all."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import nbconvert
import nbformat
import numpy as np
import pytest

from lrwidget import schedules
from lrwidget.finding import rules
from lrwidget.widget import ScheduleDesigner, _find_pictures, _pictures
from lrwidget.widget._static import Line, Mark, Panel, picture, rate_text, steps_text

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text):
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    return root


def sweep(**changes):
    rates = np.geomspace(1e-7, 10, 60)
    smoothed = 2.3 - np.exp(-((np.log10(rates) + 2) ** 2))
    values = {
        "learning_rates": rates,
        "losses": smoothed + 0.01,
        "smoothed": smoothed,
        "suggestions": {"valley": 1.9e-3, "slide": 3e-2},
        "diverged_at": 8.0,
        "band": None,
        "low": 1e-7,
        "high": 10.0,
    }
    return SimpleNamespace(**{**values, **changes})


RUN = {
    "step": np.arange(5000),
    "loss": np.exp(-np.arange(5000) / 1000),
    "learning_rate": schedules.preset("one_cycle", peak_value=3e-3, steps=5000)(np.arange(5000)),
}
VALID = {"step": np.array([1000, 2000]), "loss": np.array([0.6, 0.5])}


@pytest.mark.parametrize("name", schedules.names())
def test_each_preset_is_drawn_within_the_picture(name):
    schedule = schedules.preset(name, peak_value=3e-3, steps=2000)
    root = parsed(_pictures.schedule_svg(schedule))
    width, height = (float(v) for v in root.get("viewBox").split()[2:])
    [path] = root.iter(f"{SVG}path")
    points = np.array(re.findall(r"([\d.]+) ([\d.]+)", path.get("d")), dtype=float)
    assert len(points) >= 100
    assert (points >= 0).all()
    assert (points <= [width, height]).all()


def test_a_jump_is_drawn_as_a_jump():
    schedule = schedules.preset("step", peak_value=0.1, steps=300)
    [path] = parsed(_pictures.schedule_svg(schedule)).iter(f"{SVG}path")
    points = re.findall(r"([\d.]+) ([\d.]+)", path.get("d"))
    xs = [x for x, _ in points]
    heights = {x: {y for other, y in points if other == x} for x in xs}
    assert sum(len(ys) == 2 for ys in heights.values()) == 2


def test_tracks_are_thin_labelled_and_on_scales_of_their_own():
    schedule = schedules.preset("cosine", peak_value=3e-3, steps=1000)
    tracks = {
        "weight_decay": schedules.preset("linear", peak_value=0.05, steps=2000),
        "add_decayed_weights.weight_decay": schedules.constant(0.0),
    }
    root = parsed(_pictures.schedule_svg(schedule, tracks))
    rate, decay, zero = root.iter(f"{SVG}path")
    assert (rate.get("stroke-width"), decay.get("stroke-width")) == ("1.8", "1")
    assert len({path.get("stroke") for path in (rate, decay, zero)}) == 3

    def points(path):
        return np.array(re.findall(r"([\d.]+) ([\d.]+)", path.get("d")), dtype=float)

    assert points(rate)[:, 1].min() == points(decay)[:, 1].min()
    assert points(rate)[-1, 0] == points(decay)[-1, 0]
    assert np.ptp(points(zero)[:, 1]) == 0
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert {"weight_decay", "add_decayed_we…"} <= set(words)
    assert "weight_decay with a peak of 0.05: linear over" in root.find(f"{SVG}desc").text


def test_title_and_description_are_tied_to_the_picture():
    schedule = schedules.preset("warmup_cosine", peak_value=3e-3, steps=2000)
    root = parsed(_pictures.schedule_svg(schedule))
    assert root.get("role") == "img"
    by_id = {e.get("id"): e for e in root.iter() if e.get("id")}
    title, description = (by_id[i] for i in root.get("aria-labelledby").split())
    assert title.tag == f"{SVG}title"
    assert title.text == "Learning-rate schedule · peak 3e-3 · 2\N{THIN SPACE}000 steps"
    assert description.tag == f"{SVG}desc"
    assert description.text == (
        "Learning rate with a peak of 3e-3: linear over 100 steps, then cosine over "
        "1\N{THIN SPACE}900 steps."
    )


def test_two_pictures_in_one_page_do_not_share_ids():
    ids = [
        set(re.findall(r'id="([^"]+)"', _pictures.schedule_svg(schedules.constant(rate, 100))))
        for rate in (0.1, 0.2)
    ]
    assert not ids[0] & ids[1]


def test_it_asks_for_nothing_from_outside_and_runs_nothing():
    run = _pictures.run_panels(RUN, VALID, [Mark(x=9, label="×2")])
    text = picture([_find_pictures.sweep_panel(sweep()), *run], title="t", description="d")
    assert not re.search(r"url\(|href|<script|@import|on\w+=|<image|<foreignObject", text)
    assert re.findall(r"https?://[^\"']+", text) == ["http://www.w3.org/2000/svg"]


def test_text_is_text():
    mark = Mark(x=1.0, label='<script>&"')
    line = Line(x=np.arange(3), y=np.ones(3), label="<b>")
    text = picture(
        [Panel(x_title="<i>", y_title="&", lines=[line], marks=[mark])],
        title="</title><script>",
        description="</desc>",
    )
    root = parsed(text)
    assert root.find(f"{SVG}title").text == "</title><script>"
    assert not list(root.iter(f"{SVG}script"))


def test_every_ink_has_a_light_attribute_and_a_dark_rule():
    text = picture(
        [_find_pictures.sweep_panel(sweep()), *_pictures.run_panels(RUN, VALID, [])],
        title="t",
        description="d",
    )
    style = parsed(text).find(f"{SVG}style").text
    assert style.startswith("@media (prefers-color-scheme:dark)")
    for element in parsed(text).iter():
        for name in element.get("class", "").split():
            attribute = "fill" if name.startswith("lrw-svg-f-") else "stroke"
            assert element.get(attribute, "").startswith("#")
            assert f".{name}{{{attribute}:#" in style


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", ["_LIGHT", "_DARK"])
@pytest.mark.parametrize("ink", ["fg", "muted"])
def test_text_has_the_contrast_that_wcag_asks_for(palette, ink):
    from lrwidget.widget import _static

    colours = getattr(_static, palette)
    assert contrast(colours[ink], colours["bg"]) >= 4.5


@pytest.mark.parametrize("palette", ["_LIGHT", "_DARK"])
@pytest.mark.parametrize("ink", ["s1", "s2", "s3", "s4"])
def test_curves_and_their_labels_can_be_told_from_the_paper(palette, ink):
    from lrwidget.widget import _static

    colours = getattr(_static, palette)
    assert contrast(colours[ink], colours["bg"]) >= 3.0


def test_a_sweep_shows_rules_and_divergence_and_cuts_off_the_blow_up():
    smoothed = sweep().smoothed.copy()
    smoothed[-1] = 1e6
    text = picture(
        [_find_pictures.sweep_panel(sweep(smoothed=smoothed))], title="t", description="d"
    )
    words = [e.text for e in parsed(text).iter(f"{SVG}text")]
    assert {"valley 1.9e-3", "slide 0.03", "diverged"} <= set(words)
    assert not any("e+" in word or "1000000" in word for word in words)


def advised(**changes):
    curves = {rate: 2.3 - 0.01 * np.arange(50) / (1 + 100 * rate) for rate in (1e-4, 1e-3, 1e-2)}
    runs = [
        SimpleNamespace(
            learning_rate=rate, horizon=50, losses=losses, final=losses[-1], diverged=False
        )
        for rate, losses in curves.items()
    ]
    probe = SimpleNamespace(runs=runs)
    said = {
        "learning_rate": 2.4e-3,
        "low": 1.3e-3,
        "high": 4.1e-3,
        "sure": "fairly sure",
        "reasons": ("five of six probes at 200 steps were best here", "curvature allows 8e-3"),
        "refused": None,
        "remedy": None,
        "gradient_steps": 1412.0,
        "evidence": SimpleNamespace(probe=probe, curvature=None, sweep=None),
    }
    return SimpleNamespace(**{**said, **changes})


def found(sweep, advice):
    said, panels = _find_pictures.found_panels(sweep, advice)
    root = parsed(picture(panels, title="t", description=said))
    return root, said, [e.text for e in root.iter(f"{SVG}text")]


def test_a_sweep_of_several_seeds_has_a_band_around_its_mean():
    def shapes(sweep):
        root, _, _ = found(sweep, None)
        return [p.get("d") for p in root.iter(f"{SVG}path") if p.get("fill") != "none"]

    assert shapes(sweep()) == []
    smoothed = sweep().smoothed
    [outline] = shapes(sweep(band=np.stack([smoothed - 0.2, smoothed + 0.1])))
    points = np.array(re.findall(r"([\d.]+) ([\d.]+)", outline), dtype=float)
    assert len(points) == 2 * len(smoothed)
    assert (points[: len(smoothed), 1] <= points[: len(smoothed) - 1 : -1, 1]).all()


def test_an_advice_is_a_line_in_a_band_with_its_reasons_and_its_cost():
    root, said, words = found(sweep(), advised())
    assert "advice 2.4e-3" in words
    bands = [r for r in root.iter(f"{SVG}rect") if r.get("opacity")]
    [band] = bands
    # log10(4.1 / 1.3) of the eight decades that are drawn.
    assert float(band.get("width")) == pytest.approx(
        (720 - 64 - 96) * np.log10(4.1 / 1.3) / 8, abs=1
    )
    told = (
        "Use 2.4e-3; the best lies between 1.3e-3 and 4.1e-3 (fairly sure). It cost "
        "1\N{THIN SPACE}412 gradient steps."
    )
    assert told in words
    assert told in said
    assert "Five of six probes at 200 steps were best here." in words
    height = float(root.get("viewBox").split()[3])
    assert all(float(e.get("y")) < height for e in root.iter(f"{SVG}text"))


def test_the_probes_are_drawn_and_the_best_of_them_is_named():
    root, _, words = found(sweep(), advised())
    assert "loss of the probes" in words
    assert "1e-4" in words
    lines = [p for p in root.iter(f"{SVG}path") if p.get("fill") == "none"]
    assert [p.get("stroke-width") for p in lines[-3:]] == ["1", "1", "1.8"]


def test_a_refusal_says_why_and_what_would_help_and_names_no_rate():
    refusal = advised(
        learning_rate=None,
        low=None,
        high=None,
        sure=None,
        reasons=(),
        refused="the loss does not depend on the learning rate" + ", whichever it is" * 8,
        remedy="check that the optimizer sees the parameters",
    )
    root, said, words = found(sweep(), refusal)
    assert not [r for r in root.iter(f"{SVG}rect") if r.get("opacity")]
    assert not any(word.startswith("advice") for word in words)
    together = " ".join(words)
    assert "No advice: the loss does not depend on the learning rate, whichever" in together
    assert "Check that the optimizer sees the parameters." in together
    assert said in parsed(picture([], title="t", description=said)).find(f"{SVG}desc").text
    assert max(map(len, words)) <= 104


def test_where_no_loss_was_finite_the_refusal_stands_alone():
    empty = np.empty(0)
    nothing = sweep(learning_rates=empty, losses=empty, smoothed=empty, suggestions={})
    assert _find_pictures.found_panels(nothing, None) is None
    refusal = advised(
        learning_rate=None,
        low=None,
        high=None,
        reasons=(),
        refused="the loss is nan before the first step",
        remedy=None,
        evidence=SimpleNamespace(probe=None),
    )
    root, _, words = found(nothing, refusal)
    assert not list(root.iter(f"{SVG}line"))
    [_, told] = words
    assert told.startswith("No advice: the loss is nan before the first step.")


def test_rules_that_the_panel_hides_at_first_are_not_drawn():
    hidden = next(rule for rule in rules.values() if not rule.shown)
    _, said, words = found(sweep(suggestions={"valley": 1.9e-3, hidden.name: 3e-3}), None)
    assert "valley 1.9e-3" in words
    assert not any(hidden.name in word for word in [said, *words])


def test_a_run_shows_loss_validation_rate_and_edits():
    panels = _pictures.run_panels(RUN, VALID, [Mark(x=2000, label="×0.5")])
    text = picture(panels, title="t", description=_pictures.describe_run(RUN, "finished"))
    words = {e.text for e in parsed(text).iter(f"{SVG}text")}
    assert {"loss", "learning rate", "train", "validation", "×0.5"} <= words
    assert "Training, finished, 5\N{THIN SPACE}000 steps" in text


def test_losses_that_are_not_finite_leave_gaps():
    loss = np.array([1.0, 2.0, np.nan, np.inf, 1.5, 1.0])
    line = Line(x=np.arange(6), y=loss)
    text = picture([Panel(x_title="x", y_title="y", lines=[line])], title="t", description="d")
    [path] = parsed(text).iter(f"{SVG}path")
    assert path.get("d").count("M") == 2


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [5.0], [-1.0, -1.0]])
def test_odd_curves_still_make_a_picture(values):
    line = Line(x=np.arange(len(values)), y=np.array(values, dtype=float), label="x")
    for log in (False, True):
        panel = Panel(x_title="x", y_title="y", lines=[line], y_log=log)
        parsed(picture([panel], title="t", description="d"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (3.2e-3, "3.2e-3"), (1e-2, "0.01"), (1e-7, "1e-7"), (10, "10")],
)
def test_rates_are_written_as_in_the_widget(value, text):
    assert rate_text(value) == text


def test_steps_have_thin_spaces():
    assert steps_text(1234567) == "1\N{THIN SPACE}234\N{THIN SPACE}567"


def test_nbconvert_shows_the_picture():
    data, metadata = ScheduleDesigner()._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("designer", outputs=[output])]
    html, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    [source] = re.findall(r'<img[^>]* src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert parsed(base64.b64decode(source)).get("role") == "img"
