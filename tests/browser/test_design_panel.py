"""What stands around the canvas: tracks, the gallery of presets, exports, numbers of nodes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser import clipboard
from tests.browser.late_line import LateLine
from tests.browser.test_quickstart import hook, values

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

DESIGNER = """
import lrwidget as lrw

designer = lrw.ScheduleDesigner()
designer
"""
FOCUS = "() => document.activeElement.dataset.lrw"


@pytest.fixture(scope="module")
def notebook_name(jupyterlab):
    return jupyterlab.write("design_panel.ipynb", DESIGNER)


@pytest.fixture
def designer(open_notebook, notebook_name):
    notebook = open_notebook(notebook_name)
    notebook.run_all()
    root = notebook.output(0).locator(".lrw-root")
    root.wait_for()
    return notebook, root


def choose(root, menu, item):
    root.locator(hook(menu)).click()
    root.locator(hook(item)).click()


def write(root, name, text):
    field = root.locator(hook(name))
    field.fill(text)
    field.press("Enter")
    settle(root)
    return field


def write_late(field, text):
    """Write what Python has yet to hear of."""
    field.fill(text)
    field.press("Enter")
    expect(field).to_have_value(text)


def settle(root):
    """Wait until Python has answered every edit."""
    expect(root.locator(".lrw-code[data-stale]")).to_have_count(0)


def test_a_preset_is_found_and_taken_by_keyboard_alone(page, designer):
    notebook, root = designer
    root.locator(hook("gallery")).focus()
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS) == "gallery-search"
    everything = root.locator('[data-lrw^="preset-"]')
    assert everything.count() == values(notebook, "len(lrw.schedules.names())")
    page.keyboard.type("triangular2")
    expect(everything).to_have_count(1)
    page.keyboard.press("Escape")
    expect(everything).to_be_hidden()
    assert page.evaluate(FOCUS) == "gallery"

    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUS) == everything.first.get_attribute("data-lrw")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    chosen = page.evaluate(FOCUS)
    assert chosen == everything.nth(1).get_attribute("data-lrw")
    page.keyboard.press("Enter")
    expect(root.locator(hook("told"))).not_to_be_empty()
    assert page.evaluate(FOCUS) == "gallery"
    name = chosen.removeprefix("preset-")
    preset = f"lrw.schedules.preset({name!r}, peak_value=1e-3, steps=1000)"
    assert values(notebook, f"designer.schedule == {preset}")


def test_tracks_share_one_history(designer):
    notebook, root = designer
    track = root.locator(hook("track"))
    choose(root, "track-add", "track-add-momentum")
    expect(track).to_have_value("momentum")
    write(root, "field-value", "0.8")
    expect(root.locator(hook("code-text"))).to_contain_text("momentum")
    assert values(notebook, "designer.tracks['momentum'].peak_value") == 0.8

    # What leaves the range of a momentum is refused where it is typed.
    field = write(root, "field-value", "1.5")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Escape")

    track.select_option("learning_rate")
    write(root, "field-peak", "5e-3")
    expect(root.locator(hook("undo"))).to_be_enabled()
    root.locator(hook("undo")).click()
    expect(track).to_have_value("learning_rate")
    root.locator(hook("undo")).click()
    expect(track).to_have_value("momentum")
    expect(root.locator(hook("field-value"))).to_have_value("0.9")
    root.locator(hook("redo")).click()
    expect(root.locator(hook("field-value"))).to_have_value("0.8")
    root.locator(hook("track-remove")).click()
    settle(root)
    expect(track).to_have_value("learning_rate")
    expect(root.locator(hook("code-text"))).not_to_contain_text("momentum")
    assert values(notebook, "len(designer.tracks)") == 0

    # A name of one's own; a bad one is refused beside its field.
    root.locator(hook("track-add")).click()
    write(root, "track-name", "2bad")
    expect(root.locator(hook("track-name"))).to_have_attribute("aria-invalid", "true")
    write(root, "track-name", "dropout_rate")
    expect(track).to_have_value("dropout_rate")
    assert values(notebook, "list(designer.tracks)") == ["dropout_rate"]


def test_a_number_is_taken_once_even_if_its_field_is_left_before_the_answer(page, designer):
    notebook, root = designer
    line = LateLine(page, "design.set")
    field = root.locator(hook("field-peak"))
    field.fill("peak / 4")
    field.press("Enter")
    line.await_commands(1)
    field.press("Tab")
    line.open()
    settle(root)
    expect(field).to_have_value("2.5e-4")
    assert values(notebook, "designer.peak_value") == 2.5e-4
    root.locator(hook("undo")).click()
    expect(field).to_have_value("1e-3")
    expect(root.locator(hook("undo"))).to_be_disabled()


def test_while_an_answer_is_late_nothing_moves_and_fields_show_what_is_designed(page, designer):
    notebook, root = designer
    line = LateLine(page, "design.set")
    field, undo = root.locator(hook("field-peak")), root.locator(hook("undo"))
    field.fill("peak / 4")
    field.press("Enter")
    expect(field).to_have_value("2.5e-4")
    # That the kernel lets one wait is said where nothing moves for it.
    place = root.locator(hook("design-canvas")).bounding_box()
    expect(root.locator(".lrw-design-curve")).to_contain_text("the kernel is busy")
    assert root.locator(hook("design-canvas")).bounding_box() == place
    undo.click()
    expect(field).to_have_value("1e-3")
    line.let_on()
    # One edit is under way at a time: the undo goes when the edit is answered.
    line.await_commands(1)
    expect(field).to_have_value("1e-3")
    line.open()
    settle(root)
    expect(field).to_have_value("1e-3")
    expect(undo).to_be_disabled()
    assert values(notebook, "designer.peak_value") == 1e-3

    # What was written, taken back and written again is written again.
    line = LateLine(page, "design.set")
    write_late(field, "3e-3")
    undo.click()
    expect(field).to_have_value("1e-3")
    write_late(field, "3e-3")
    line.open()
    settle(root)
    assert values(notebook, "designer.peak_value") == 3e-3

    # What is copied is the code of what is drawn, and nothing else.
    clipboard.empty(page)
    line = LateLine(page, "design.set")
    write_late(field, "2e-3")
    expect(root.locator(hook("code-copy"))).to_be_disabled()
    line.open()
    settle(root)
    root.locator(hook("code-copy")).click()
    copied = clipboard.read(page)
    assert copied.strip() == root.locator(hook("code-text")).inner_text().strip()
    assert "0.002" in copied


def test_every_export_says_what_it_did(page, designer, tmp_path):
    notebook, root = designer
    told = root.locator(hook("told"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    steps = list(range(0, 1000, 37))
    curve = values(notebook, f"[float(designer.schedule(s)) for s in {steps}]")
    for name, words in {"optax": "optax", "pytorch": "def ", "keras": "keras"}.items():
        choose(root, "export", f"export-{name}")
        expect(told).to_have_text(re.compile(f"{name} code copied", re.IGNORECASE))
        copied = page.evaluate("navigator.clipboard.readText()")
        assert words in copied
        assert "learning_rate" in copied
    files = {}
    for name in ("json", "csv", "svg", "png"):
        with page.expect_download() as download:
            choose(root, "export", f"export-{name}")
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
        expect(told).to_have_text(f"{files[name].name} saved")
    read = "lrw.Schedule.from_json"
    assert values(notebook, f"{read}({files['json'].read_text()!r}) == designer.schedule")
    table = np.loadtxt(files["csv"], delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[steps, 1], curve, rtol=1e-12)
    assert files["svg"].read_text().startswith("<svg")
    png = files["png"].read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 2 * 720


def test_where_the_clipboard_is_barred_the_code_is_selected(page, designer):
    _, root = designer
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    choose(root, "export", "export-keras")
    expect(root.locator(hook("told"))).to_contain_text("selected, press Ctrl+C")
    assert "import keras" in page.evaluate("getSelection().toString()")


def test_a_curve_is_imported_and_a_bad_file_is_refused(page, designer, tmp_path):
    notebook, root = designer
    good, bad = tmp_path / "curve.csv", tmp_path / "words.csv"
    good.write_text("step,value\n" + "".join(f"{s},{1e-3 * s / 200}\n" for s in range(201)))
    bad.write_text("not,a\ncurve,at all\n")
    for file in (bad, good):
        with page.expect_file_chooser() as chooser:
            choose(root, "export", "import-csv")
        chooser.value.set_files(file)
        expect(root.locator(hook("told"))).not_to_be_empty()
        if file == bad:
            assert values(notebook, "designer.schedule.steps") == 1000
    expect(root.locator(hook("told"))).to_have_text("curve.csv imported")
    assert values(notebook, "designer.schedule.steps") == 200


def test_a_node_has_its_numbers_and_those_inside_it(designer):
    notebook, root = designer
    choose(root, "segment-more", "segment-repeat")
    write(root, "node-times", "3")
    write(root, "node-decay_rate", "0.5")
    write(root, "leaf-part-init_value", "peak/2")
    write(root, "leaf-part-exponent", "2")
    expect(root.locator(hook("field-steps"))).to_have_value("2\u202f850")
    node = values(notebook, "designer.schedule.to_node()")["parts"][1]
    assert (node["node"], node["times"], node["decay_rate"]) == ("repeat", 3, 0.5)
    assert node["part"]["parameters"]["exponent"] == 2
    assert node["part"]["parameters"]["init_value"] == 5e-4
    field = write(root, "node-times", "0")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Escape")
    choose(root, "segment-more", "segment-expand")
    expect(root.locator(".lrw-strip-segment")).to_have_count(4)
    root.locator(hook("undo")).click()
    expect(root.locator(".lrw-strip-segment")).to_have_count(2)
