"""Exported chains: what an Optax user would have written, as a formatter leaves it."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.optimizers.strategies import chains
from tests.schedules.test_code import digits


def ruff(*arguments, folder):
    # In a folder of its own: seen from here, lrwidget is no library.
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def check_layout(texts, folder):
    for i, text in enumerate(texts):
        assert digits(text) <= 9
        (folder / f"text_{i}.py").write_text(text)
    ruff("check", folder=folder)
    ruff("format", "--diff", folder=folder)


def written(chain):
    """Return every text of a chain."""
    texts = [chain.to_code(), chain.to_code(hold=True)]
    try:
        texts.append(chain.to_code(live=True))
    except ValueError as error:
        assert "must have numbers that can change" in str(error)  # noqa: PT017
    return texts


class Drawn:
    # As a list, all of them would be written out in a failure's report; ruff says which one it is.
    def __init__(self, drawn):
        self.chains = drawn


@st.composite
def many(draw, count):
    return Drawn([draw(chains()) for _ in range(count)])


# What fails is not made smaller: each try would be forty files.
@settings(max_examples=2, phases=[Phase.generate])
@given(many(40))
def test_every_random_chain_is_written_as_ruff_would_leave_it(tmp_path_factory, drawn):
    texts = [text for chain in drawn.chains for text in written(chain)]
    check_layout(texts, tmp_path_factory.mktemp("random"))
