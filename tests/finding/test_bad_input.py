"""What `find_lr` refuses, and in which words."""

from __future__ import annotations

import pytest

import lrwidget as lrw
from lrwidget.finding import find_lr
from tests.finding.tasks import weights


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"low": 0.0}, ValueError, r"low must be a finite number >= 1\.17549e-38, got 0\.0"),
            ({"low": -1e-3}, ValueError, r"low must be a finite number .*, got -0\.001"),
            ({"low": float("nan")}, ValueError, "low must be a finite number .*, got nan"),
            ({"low": "1e-7"}, TypeError, "low must be a finite number .*, got '1e-7'"),
            ({"low": 1e-50}, ValueError, "low must be a finite number .*, got 1e-50"),
            ({"high": 1e-7}, ValueError, r"high must be a finite number > 1e-07 .*, got 1e-07"),
            ({"low": 1.0, "high": 0.1}, ValueError, "high must be a finite number > 1 .*got 0.1"),
            ({"high": float("inf")}, ValueError, "high must be a finite number .*, got inf"),
            ({"high": 1e39}, ValueError, r"high must be a finite number .*, got 1e\+39"),
            ({"high": None}, TypeError, "high must be a finite number .*, got None"),
            ({"steps": 9}, ValueError, "steps must be a whole number >= 10 .*, got 9"),
            ({"steps": 0}, ValueError, "steps must be a whole number >= 10 .*, got 0"),
            ({"steps": 50.5}, ValueError, r"steps must be a whole number >= 10 .*, got 50\.5"),
            ({"steps": True}, TypeError, "steps must be a whole number >= 10 .*, got True"),
            ({"steps": 10**9}, ValueError, "steps must be .* <= 1000000, got 1000000000"),
            ({"smoothing": 1.0}, ValueError, "smoothing must be .* >= 0 and < 1, got 1.0"),
            ({"smoothing": -0.1}, ValueError, "smoothing must be .* >= 0 and < 1, got -0.1"),
            ({"stop_factor": 1.0}, ValueError, "stop_factor must be a finite number > 1, got 1.0"),
            ({"stop_factor": "4"}, TypeError, "stop_factor must be a finite number > 1, got '4'"),
            ({"on_progress": 3}, TypeError, "on_progress must be a function or None, got 3"),
            ({"cancel": True}, TypeError, "cancel must have is_set.*, got True"),
            ({"address": "b1"}, ValueError, "high must be a finite number >= 0 and < 1, got 10"),
            ({"address": "momentum"}, ValueError, "chain must have a live momentum"),
            ({"address": 3}, TypeError, "address must be"),
            ({"seeds": 0}, ValueError, "seeds must be a whole number >= 1 and <= 64, got 0"),
            ({"seeds": 65}, ValueError, "seeds must be a whole number .*, got 65"),
            ({"seeds": 1.5}, ValueError, "seeds must be a whole number .*, got 1.5"),
            ({"ladder": "log"}, ValueError, "ladder must be one of exponential, linear"),
            ({"ladder": None}, ValueError, "ladder must be one of exponential, linear"),
            ({"ladders": {"head": (1, 2)}}, ValueError, "chain must have a live head"),
            ({"loss": "test"}, ValueError, "loss must be one of train, valid; got 'test'"),
            ({"loss": "valid"}, ValueError, 'loss must be "train" for a Task without validation'),
            ({"metric": "accuracy"}, ValueError, "metric must be one of loss; got 'accuracy'"),
            ({"start": "here"}, ValueError, 'start must be None, a Trainer or "current", got'),
            ({"rate": 3}, TypeError, "unexpected keyword argument 'rate'"),
        ],
    )
    def test_arguments(self, task, chain, arguments, error, message):
        with pytest.raises(error, match=message):
            find_lr(task, chain, **arguments)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (None, "task must be a Task, got NoneType"),
            (weights(), "task must be a Task, got dict"),
        ],
    )
    def test_task(self, chain, wrong, message):
        with pytest.raises(TypeError, match=message):
            find_lr(wrong, chain)

    @pytest.mark.parametrize("wrong", [None, 1e-3, "adam"])
    def test_chain(self, task, wrong):
        with pytest.raises(TypeError, match="chain must be a Chain or a Link"):
            find_lr(task, wrong)

    def test_a_chain_without_a_rate(self, task):
        chain = lrw.Chain.of(lrw.optimizers.clip_by_global_norm(1.0))
        with pytest.raises(
            ValueError,
            match=r"chain must have a live learning_rate .* clip_by_global_norm.max_norm",
        ):
            find_lr(task, chain)
