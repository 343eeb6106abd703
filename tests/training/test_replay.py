"""Doing a run again from its journal: the same numbers, bit for bit, in another process."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import lrwidget as lrw
from lrwidget.training import Journal, Keep, Scale
from lrwidget.training._journal import JournalEntry
from tests.training import models, stories
from tests.training.running import shared

ROOT = pathlib.Path(__file__).parents[2]
KINDS = ("nnx", "linen", "pytree")


def replayed_elsewhere(runs, folder):
    """Return the results of replays by one process of its own."""
    words, results = [], []
    for place, (kind, t) in enumerate(runs):
        journal, saved = folder / f"{place}.json", folder / f"{place}.npz"
        journal.write_text(t.journal.to_json())
        words += [kind, str(journal), str(saved)]
        results.append(saved)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.training.stories", *words],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [np.load(saved) for saved in results]


def check(runs, folder):
    """Check that each of these (kind, run) is the same again elsewhere; return how many are."""
    for (kind, t), again in zip(runs, replayed_elsewhere(runs, folder), strict=True):
        assert stories.differing(stories.result(t), again) == [], kind
        again.close()
    return len(runs)


def test_runs_with_a_life_are_replayed_elsewhere(tmp_path):
    runs = [(kind, stories.tell(kind, 1)) for kind in KINDS]
    check(runs, tmp_path)
    for _, t in runs:
        commands = [e.command for e in t.journal]
        assert commands.count("rewind") == commands.count("fork") == 2
        assert sum(e.given is not None for e in t.journal) >= 25


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_runs_are_replayed(tmp_path, capsys):
    seeds = range(2, 12)
    count = sum(check([(k, stories.tell(k, seed)) for k in KINDS], tmp_path) for seed in seeds)
    with capsys.disabled():
        print(
            f"\nsoak, replays: {count} runs of {stories.COMMANDS} random commands with two forks, "
            "a rewind and a divergence are bit-equal in another process"
        )


# ---- what a replay needs -------------------------------------------------------------------------

CHAIN = models.sgd(0.05)


@pytest.fixture(scope="module")
def short():
    t = lrw.Trainer(shared(), CHAIN, steps=30)
    t.step(10)
    t.scale(learning_rate=0.5)
    t.step(5)
    return t


def test_it_rests_where_the_journal_ends_and_goes_on(short):
    again = lrw.replay(short.journal, shared())
    assert (again.state, again.position) == ("paused", 15)
    assert again.journal == short.journal
    again.step(5)
    plain = lrw.Trainer(shared(), CHAIN, steps=30)
    plain.set(learning_rate=0.025, at=10)
    plain.step(20)
    np.testing.assert_array_equal(again.history.loss, plain.history.loss)
    assert len(again.journal) == len(short.journal) + 1


@pytest.mark.parametrize("end", ["finished", "extended", "diverged", "stopped", "idle"])
def test_it_ends_as_the_run_did(end):
    task = models.task(valid=models.data(29, seed=1))
    t = lrw.Trainer(task, CHAIN, steps=30, valid_every=7)
    if end == "diverged":
        t.set(learning_rate=stories.HUGE, at=20)
        t.start()
        with pytest.warns(RuntimeWarning, match="diverged"):
            t.wait()
    elif end == "stopped":
        t.step(17)
        t.stop()
    elif end != "idle":
        t.run_sync()
    if end == "extended":
        t.extend(10)
        t.step(4)
    again = lrw.replay(Journal.from_json(t.journal.to_json()), task)
    assert again.state == ("finished" if end == "finished" else "paused")
    assert stories.differing(stories.result(t), stories.result(again)) == []


def test_a_replay_is_kept_in_a_directory(tmp_path, short):
    t = lrw.Trainer(shared(), CHAIN, steps=30)
    t.step(10)
    t.set(learning_rate=0.1)
    t.step(5)
    t.rewind(12)
    fork = t.fork(name="slow", learning_rate=0.001)
    fork.step(3)
    t.step(3)
    again = lrw.replay(t.journal, shared(), directory=tmp_path / "run")
    for each in (again, *again.forks):
        each._place.saver.flush()
    saved = lrw.open_run(tmp_path / "run")
    assert saved.journal == t.journal
    np.testing.assert_array_equal(saved.history.loss, t.history.loss)
    [other] = saved.forks
    assert other.name == "slow"
    np.testing.assert_array_equal(other.history.loss, fork.history.loss)
    assert again.forks[0].directory is not None


def test_a_run_that_began_elsewhere_needs_its_start(short):
    t = lrw.Trainer(shared(), CHAIN, steps=30, start=short)
    t.step(5)
    with pytest.raises(ValueError, match="start must be given"):
        lrw.replay(t.journal, shared())
    again = lrw.replay(t.journal, shared(), start=t.options.start)
    models.assert_equal(again.params, t.params)


def test_a_chain_with_a_function_must_be_given():
    def factory(learning_rate):
        import optax

        return optax.sgd(learning_rate)

    chain = lrw.Chain.of(lrw.optimizers.custom(factory, learning_rate=0.05))
    t = lrw.Trainer(shared(), chain, steps=30)
    t.step(5)
    t.scale(learning_rate=0.5)
    t.step(5)
    journal = Journal.from_json(t.journal.to_json())
    with pytest.raises(ValueError, match="chain must be given"):
        lrw.replay(journal, shared())
    models.assert_equal(lrw.replay(journal, shared(), chain).params, t.params)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": 3}, "whose seed was 0, and this one has 3"),
        ({"batch_size": 4}, "whose batch_size was 8"),
        ({"loss_fn": models.noisy_pytree_loss}, "whose columns was"),
        ({"valid": models.data(9)}, "whose valid_columns was"),
    ],
)
def test_another_task_is_refused(short, changes, match):
    with pytest.raises(ValueError, match=match):
        lrw.replay(short.journal, models.task(**changes))


def test_what_is_no_journal_is_refused(short):
    with pytest.raises(TypeError, match="journal must be a Journal"):
        lrw.replay([], shared())
    with pytest.raises(TypeError, match="task must be a Task"):
        lrw.replay(short.journal, None)


# ---- the journal as text -------------------------------------------------------------------------


def test_a_journal_survives_being_text(short):
    journal = short.journal
    again = Journal.from_json(journal.to_json())
    assert again == journal
    assert (again.position, again.header) == (15, journal.header)
    assert again.chain == CHAIN
    assert again[1:] == tuple(journal)[1:]


WRONG = {
    "no JSON": lambda node: "{",
    "no object": lambda node: "[1]",
    "no journal": lambda node: json.dumps({**node, "schema": "other"}),
    "a newer one": lambda node: json.dumps({**node, "version": 2}),
    "no header": lambda node: json.dumps({**node, "header": None}),
    "no position": lambda node: json.dumps({**node, "position": -1}),
    "an entry that is none": lambda node: json.dumps({**node, "entries": [3]}),
    "an unknown field": lambda node: json.dumps({**node, "entries": [{"step": 1, "x": 2}]}),
    "no command": lambda node: json.dumps({**node, "entries": [{"step": 1, "seconds": 0.0}]}),
    "no such chain": lambda node: json.dumps({**node, "header": {"chain": "{}"}}),
}


@pytest.mark.parametrize("what", WRONG)
def test_text_that_is_no_journal_is_refused(short, what):
    with pytest.raises((ValueError, TypeError)):
        Journal.from_json(WRONG[what](short.journal.to_node()))


def test_a_command_that_is_none_is_refused(short):
    node = short.journal.to_node()
    [entry] = [e for e in node["entries"] if e["command"] == "scale"]
    entry["given"]["command"] = "format"
    with pytest.raises(ValueError, match="command must be one of"):
        lrw.replay(Journal.from_json(json.dumps(node)), shared())


def test_entries_of_a_fork_that_was_never_taken_do_not_count():
    """What a kill in the middle of a take leaves."""
    t = lrw.Trainer(shared(), CHAIN, steps=30)
    t.step(10)
    fork = t.fork(learning_rate=0.001)
    t.step(5)
    fork.step(2)
    before = t.journal
    t.take(fork)
    torn = [e for e in t._loop.edits.journal if e.command != "take"][: len(before) + 1]
    torn = [JournalEntry(**{**vars(e), "undone": e not in before}) for e in torn]
    journal = Journal(torn, header=t.journal.header, position=15, chain=CHAIN)
    again = lrw.replay(journal, shared())
    assert again.held() is None
    assert again.position == 15


def test_a_journal_may_be_long():
    t = lrw.Trainer(shared(), CHAIN, steps=30, snapshots=Keep(every=10**6))
    for step in range(20):
        t.submit(Scale(factors={"learning_rate": 0.99 if step % 2 else 1.01})).result()
        t.step(1)
    again = lrw.replay(Journal.from_json(t.journal.to_json()), shared())
    models.assert_equal(again.params, t.params)
