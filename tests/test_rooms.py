"""What importing a room really loads.

The rules for import statements are import-linter's (pyproject.toml; `make check` runs it). They say
nothing of what a dependency pulls in, so these tests look at a fresh interpreter afterwards.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import lrwidget

FRONT_END = {"anywidget", "ipywidgets", "IPython", "ipykernel"}
HEAVY = {"jax", "optax", "flax", "matplotlib", "numpy"}


def loaded_by(statement: str) -> set[str]:
    """Return the names of the packages that a statement loads in a fresh interpreter."""
    code = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "after = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(after)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import lrwidget").isdisjoint(HEAVY | FRONT_END)


def test_the_package_lists_what_it_offers_and_nothing_else():
    names = [name for name in dir(lrwidget) if not name.startswith("__")]
    assert names == sorted(lrwidget.__all__)
    assert all(hasattr(lrwidget, name) for name in names)


def test_a_finder_s_name_that_is_not_at_the_top_is_found():
    with pytest.raises(AttributeError, match=r"'curvature': it is lrwidget\.finding\.curvature$"):
        _ = lrwidget.curvature
    with pytest.raises(AttributeError, match=r"has no attribute 'curvatures'$"):
        _ = lrwidget.curvatures
    assert "jax" not in loaded_by("import lrwidget; hasattr(lrwidget, 'curvature')")


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("schedules", {"flax", "matplotlib"} | FRONT_END),
        ("optimizers", {"flax", "matplotlib"} | FRONT_END),
        ("training", {"matplotlib"} | FRONT_END),
        ("finding", {"matplotlib"} | FRONT_END),
        ("widget", {"matplotlib"}),
    ],
)
def test_importing_a_room_loads_only_what_it_may_know(room, forbidden):
    assert loaded_by(f"import lrwidget.{room}").isdisjoint(forbidden)


def test_the_designer_opens_without_a_backend():
    statement = "import lrwidget as lrw; lrw.ScheduleDesigner()"
    assert "jax" not in loaded_by(statement)
