"""The committed notebooks read well where no kernel runs: GitHub, nbconvert."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield from cell.outputs


def test_a_kernel_is_named_so_that_jupyterlab_asks_for_none(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_every_cell_was_run_in_order_and_none_raised(notebook):
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not [o for o in outputs(notebook) if o.output_type == "error"]
    # Where a lesson is about something that goes wrong, what is said of it is part of the lesson.
    warned = [c for c in notebook.cells if "warns" in c.metadata.get("tags", ())]
    said = [o for cell in warned for o in cell.outputs if o.get("name") == "stderr"]
    assert [o for o in outputs(notebook) if o.get("name") == "stderr"] == said
    assert len(said) == len(warned)


def test_widgets_leave_a_picture_and_no_state(notebook):
    # With a saved state nbconvert shows the widget, which needs the network, and not the picture.
    assert "widgets" not in notebook.metadata
    views = [o.data for o in outputs(notebook) if WIDGET in o.get("data", {})]
    # Sliders of ipywidgets have none, and stand below a picture of their own.
    ours = [data for data in views if not data["text/plain"].startswith("VBox(")]
    assert all("image/svg+xml" in data for data in ours)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert page.count("data:image/svg+xml") >= len(ours)
    pictures = page.count("data:image/svg+xml") + page.count("data:image/png")
    assert pictures >= len(views) > 0


def test_two_sentences_at_least_stand_before_each_step(notebook):
    for before, cell in itertools.pairwise(notebook.cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown"
            assert len(re.findall(r"[.:](?:\s|$)", before.source)) >= 2
