"""The design on disk: written at every edit, brought back, and never lost."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from lrwidget import Chain, Task, optimizers, schedules
from lrwidget.schedules import Schedule
from lrwidget.widget import LRWidget, ScheduleDesigner
from lrwidget.widget._file import Kept, design_text, outline, read_design
from tests.widget.page import Page

COSINE = schedules.preset("cosine", peak_value=3e-3, steps=500)
STEP = schedules.preset("step", peak_value=0.1, steps=900)
B1 = schedules.preset("linear", peak_value=0.9, steps=500)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lr.json"


def on_disk(path):
    return Schedule.from_json(path.read_text(encoding="utf-8"))


def test_nothing_is_written_before_the_first_edit(path):
    ScheduleDesigner(COSINE, path=path)
    assert not path.exists()


def test_every_committed_edit_is_written(path):
    page = Page(ScheduleDesigner(path=path))
    page.ask("schedule.set", schedule=COSINE.to_node())
    assert on_disk(path) == COSINE
    page.widget.schedule = STEP
    assert on_disk(path) == STEP
    page.widget.peak_value = 0.05
    assert on_disk(path) == STEP.with_peak(0.05)


def test_the_cell_that_runs_again_brings_the_design_back(path):
    ScheduleDesigner(COSINE, path=path).schedule = STEP
    again = ScheduleDesigner(COSINE, path=path)
    assert again.schedule == STEP
    assert again._design["saved"] == str(path)
    assert again.steps == 900


# ---- tracks ------------------------------------------------------------------------------------


def test_schedule_and_tracks_are_kept_together(path):
    page = Page(ScheduleDesigner(COSINE, path=path)).unpaced()
    page.ask("design.set", schedule=STEP.to_node(), tracks={"b1": B1.to_node()})
    text = path.read_text(encoding="utf-8")
    assert read_design(text) == Kept(schedule=STEP, tracks={"b1": B1})
    assert text == design_text(STEP, {"b1": B1}) + "\n"
    again = ScheduleDesigner(COSINE, tracks={"b2": B1}, path=path)
    assert (again.schedule, again.tracks) == (STEP, {"b1": B1})


def test_a_file_of_a_schedule_alone_leaves_the_tracks_that_are_given(path):
    path.write_text(STEP.to_json(), encoding="utf-8")
    designer = ScheduleDesigner(COSINE, tracks={"b1": B1}, path=path)
    assert (designer.schedule, designer.tracks) == (STEP, {"b1": B1})
    chained = ScheduleDesigner(chain=optimizers.adam(COSINE, b1=B1), path=path)
    assert (chained.schedule, chained.tracks) == (STEP, {"adam.b1": B1})


def test_that_there_are_no_tracks_any_more_is_remembered(path):
    chain = optimizers.adam(COSINE, b1=B1)
    ScheduleDesigner(chain=chain, path=path).tracks = {}
    again = ScheduleDesigner(chain=chain, path=path)
    assert again.tracks == {}
    assert again.chain.value("b1") == 0.9
    again.schedule = STEP
    assert ScheduleDesigner(chain=chain, path=path).tracks == {}


def test_tracks_find_their_place_in_another_chain_and_without_one(path):
    ScheduleDesigner(chain=optimizers.adamw(COSINE), path=path).tracks = {"b1": B1}
    assert ScheduleDesigner(chain=optimizers.adam(STEP), path=path).tracks == {"adam.b1": B1}
    assert ScheduleDesigner(path=path).tracks == {"b1": B1}
    ScheduleDesigner(path=path).schedule = STEP
    assert ScheduleDesigner(chain=optimizers.adam(1e-3), path=path).tracks == {"adam.b1": B1}


def test_a_track_that_the_chain_has_not_is_said_and_not_lost(path):
    ScheduleDesigner(chain=optimizers.adamw(COSINE), path=path).tracks = {"b1": B1, "b2": B1}
    before = path.read_text(encoding="utf-8")
    with pytest.warns(UserWarning, match="Of .*lr.json this design leaves out the track adamw.b1"):
        designer = ScheduleDesigner(chain=optimizers.sgd(0.1), path=path)
    assert (designer.schedule, designer.tracks) == (COSINE, {})
    assert path.read_text(encoding="utf-8") == before
    designer.schedule = STEP
    assert read_design(path.read_text(encoding="utf-8")) == Kept(schedule=STEP, tracks={})
    assert path.with_name("lr.json.broken").read_text(encoding="utf-8") == before


# ---- the chain ---------------------------------------------------------------------------------

CHAIN = optimizers.adamw(1e-3)
SGD = {"link": "sgd", "hyperparameters": {"learning_rate": 0.1, "momentum": 0.9}}
GROUP = {"name": "head", "paths": ["head/*"], "multiplier": 0.5}


def edited(path, chain=None, node=None):
    """Open a designer with a chain in the code, and give it another one by hand."""
    page = Page(ScheduleDesigner(COSINE, chain=chain, path=path)).unpaced()
    node = node or {"links": [SGD], "groups": [GROUP]}
    page.ask("design.set", chain=node, tracks={"head/multiplier": B1.to_node()})
    return page.widget


def test_a_chain_made_by_hand_comes_back(path):
    made = edited(path)
    again = ScheduleDesigner(path=path)
    assert again.chain == made.chain
    assert (again.schedule, again.tracks) == (COSINE, {"head/scale.step_size": B1})
    again.tracks = {}
    assert ScheduleDesigner(path=path).chain.value("head/multiplier") == 0.5
    ScheduleDesigner(path=path).chain = None
    assert ScheduleDesigner(path=path).chain is None


def test_a_chain_edited_by_hand_goes_before_the_code_until_that_changes(path):
    chain = optimizers.adamw(1e-3, weight_decay=0.1)
    made = edited(path, chain)
    assert ScheduleDesigner(COSINE, chain=chain, path=path).chain == made.chain
    # Another number of the rate is not another chain: the curve is on disk.
    assert ScheduleDesigner(chain=chain.replace(learning_rate=2.0), path=path).chain == made.chain
    before = path.read_text(encoding="utf-8")
    with pytest.warns(UserWarning, match="leaves out the chain .the code gives another one by now"):
        other = ScheduleDesigner(chain=chain.replace(weight_decay=0.2), path=path)
    assert other.chain.value("weight_decay") == 0.2
    assert other.schedule == COSINE
    other.schedule = STEP
    assert path.with_name("lr.json.broken").read_text(encoding="utf-8") == before


def test_a_chain_within_the_chain_tells_it_from_another():
    def sam(rate):
        return Chain.of(optimizers.sam(adv_optimizer=optimizers.sgd(rate)), optimizers.sgd(0.1))

    assert outline(sam(0.05)) == outline(sam(0.05)) != outline(sam(0.1))


def test_a_chain_taken_away_by_hand_stays_away(path):
    chain = optimizers.adamw(1e-3)
    Page(ScheduleDesigner(COSINE, chain=chain, path=path)).ask("design.set", chain=None)
    assert ScheduleDesigner(COSINE, chain=chain, path=path).chain is None


def test_a_chain_that_the_code_gives_is_not_in_the_file(path):
    designer = edited(path, optimizers.adamw(1e-3))
    assert read_design(path.read_text(encoding="utf-8")).chained
    designer.chain = optimizers.adamw(1e-3)
    assert not read_design(path.read_text(encoding="utf-8")).chained


def a_mask(params):
    return params


def test_a_chain_that_json_cannot_hold_is_left_out_and_said(path):
    designer = edited(path)
    designer.chain = optimizers.adamw(1e-3, mask=a_mask)
    assert read_design(path.read_text(encoding="utf-8")) == Kept(schedule=COSINE, tracks={})
    said = designer._design["warning"]
    assert "lr.json is without the chain" in said
    assert "adamw.mask must be None to be written as JSON" in said
    designer.chain = optimizers.adamw(1e-3)
    assert designer._design["warning"] is None
    assert ScheduleDesigner(path=path).chain == designer.chain


def test_a_mask_in_the_code_is_no_reason_to_speak(path):
    chain = optimizers.adamw(1e-3, mask=a_mask)
    designer = ScheduleDesigner(COSINE, chain=chain, path=path)
    designer.schedule = STEP
    assert on_disk(path) == STEP
    assert designer._design["warning"] is None
    assert ScheduleDesigner(COSINE, chain=chain, path=path).chain.value("mask") is a_mask


def test_a_chain_on_disk_that_cannot_be_read_leaves_the_curves(path):
    edited(path)
    text = path.read_text(encoding="utf-8").replace('"sgd"', '"gone"')
    path.write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="leaves out the chain .*'gone'.*the track head"):
        designer = ScheduleDesigner(path=path)
    assert (designer.schedule, designer.tracks, designer.chain) == (COSINE, {}, None)
    assert path.read_text(encoding="utf-8") == text


def test_the_workbench_brings_its_chain_back_too(path):
    task = Task(
        {"w": np.zeros(3, np.float32)},
        lambda params, batch: ((params["w"] - batch) ** 2).mean(),
        train=np.zeros((8, 3), np.float32),
        batch_size=4,
    )
    page = Page(LRWidget(task, steps=50, path=path)).unpaced()
    page.ask("design.set", chain={"links": [SGD], "groups": [GROUP]}, tracks={})
    again = LRWidget(task, path=path)
    assert [link.name for link in again.chain.links] == ["sgd"]
    assert again.chain == page.widget.chain
    with pytest.warns(UserWarning, match="the code gives another one by now"):
        other = LRWidget(task, optimizers.adamw(1e-3), path=path)
    assert other.chain.links[0].name == "adamw"
    # What a designer took away is no chain to train with.
    path.unlink()
    Page(ScheduleDesigner(COSINE, chain=CHAIN, path=path)).ask("design.set", chain=None)
    assert LRWidget(task, CHAIN, path=path).chain == Chain.of(CHAIN).replace(learning_rate=COSINE)


def test_a_file_with_a_chain_is_imported_whole(path):
    made = edited(path)
    text = Page(made).ask("export.text", format="json")["text"]
    for chain in (None, optimizers.adam(1.0)):
        page = Page(ScheduleDesigner(STEP, chain=chain)).unpaced()
        page.ask("schedule.import", text=text)
        assert (page.widget.schedule, page.widget.chain) == (made.schedule, made.chain)
    assert "cannot be read" in page.refused("schedule.import", text="{")


def test_only_whole_files_ever_stand_there(path, monkeypatch):
    designer = ScheduleDesigner(path=path)
    designer.schedule = COSINE

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "replace", full)
    with pytest.warns(UserWarning, match="lr.json could not be written: .*No space left"):
        designer.schedule = STEP
    monkeypatch.undo()
    assert on_disk(path) == COSINE
    assert list(path.parent.iterdir()) == [path]
    assert designer.schedule == STEP
    assert "not on disk" in designer._design["warning"]
    designer.schedule = COSINE
    assert designer._design["warning"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema": "lrwidget/schedule", "version": 99, "root": {}}',
        COSINE.to_json().replace("0.003", "-1"),
        "\udcff",
        '{"schema": "lrwidget/design", "version": 2, "schedule": {}, "tracks": {}}',
        '{"schema": "lrwidget/design", "version": 1, "schedule": {}}',
        '{"schema": "lrwidget/run", "version": 1}',
        design_text(COSINE, {}).replace('"tracks": {}', '"tracks": []'),
        design_text(COSINE, {"b1": B1}).replace("linear", "liner"),
        "[" * 100_000,
    ],
    ids=[
        "empty",
        "cut off",
        "a list",
        "newer",
        "a negative rate",
        "not text",
        "a newer design",
        "no tracks",
        "another schema",
        "tracks in a list",
        "a bad track",
        "too deep",
    ],
)
def test_a_broken_file_warns_is_left_and_then_moved_aside(path, text):
    before = text.encode("utf-8", "surrogateescape")
    path.write_bytes(before)
    with pytest.warns(UserWarning, match="lr.json could not be read"):
        page = Page(ScheduleDesigner(COSINE, path=path))
    assert "left as it is" in page.widget._design["warning"]
    assert page.widget.schedule == COSINE
    assert path.read_bytes() == before
    page.ask("schedule.set", schedule=STEP.to_node())
    assert on_disk(path) == STEP
    aside = path.with_name("lr.json.broken")
    assert aside.read_bytes() == before
    assert "it is now lr.json.broken" in page.widget._design["warning"]


def test_a_second_broken_file_does_not_replace_the_first(path):
    for text in ("first", "second"):
        path.write_text(text, encoding="utf-8")
        with pytest.warns(UserWarning, match="could not be read"):
            ScheduleDesigner(path=path).schedule = COSINE
    assert path.with_name("lr.json.broken").read_text(encoding="utf-8") == "first"
    assert path.with_name("lr.json.broken-2").read_text(encoding="utf-8") == "second"


def test_the_file_keeps_its_permissions(path):
    designer = ScheduleDesigner(path=path)
    designer.schedule = COSINE
    path.chmod(0o640)
    designer.schedule = STEP
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (3, TypeError, "path must be the path of a JSON file, got 3"),
        ("", TypeError, "path must be the path of a JSON file"),
        (".", ValueError, "path must be a file, got the folder"),
        ("no/such/folder/lr.json", ValueError, "path must lie in a folder that exists"),
    ],
)
def test_a_bad_path_is_refused_at_once(given, error, said):
    with pytest.raises(error, match=said):
        ScheduleDesigner(path=given)
