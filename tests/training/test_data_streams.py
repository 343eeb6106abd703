"""Streams: from any step on, ahead of the run, and back to where a snapshot was taken."""

from __future__ import annotations

import itertools
import json
import threading
import traceback

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from lrwidget.training._array_source import ArraySource, as_arrays
from lrwidget.training._batches import Origin
from lrwidget.training._pass_source import PassSource
from tests.training.streams import TIMEOUT, Counted, assert_ended, data_threads, drawn, taken


def array_source(examples=11, batch_size=4, seed=3):
    return ArraySource(*as_arrays("train", np.arange(examples)), batch_size, seed)


def order(epoch, examples=11, seed=3):
    key = jax.random.fold_in(jax.random.key(seed), epoch)
    return np.asarray(jax.random.permutation(key, examples))


def firsts(batches):
    return [int(batch[0]) for batch in batches]


# ---- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [1, 2, 5, 8])
def test_arrays_may_begin_at_any_step(start):
    source = array_source()
    whole = taken(source, [13])
    np.testing.assert_array_equal(taken(source, [3, 2], 9, start=start), whole[start : start + 5])


@pytest.mark.parametrize("origin", [(0, 0), (6, 3), (7, 2), (5, 1_000_000_000), (2_000_000_000, 9)])
def test_another_batch_size_begins_at_its_origin(origin):
    source, origin = array_source().resized(3), Origin(*origin)
    assert source.steps_per_epoch == 3
    start = origin.step + 2
    batches = taken(source, [1, 4], 4, start=start, origin=origin)
    expected = [
        order(origin.epoch + place // 3)[place % 3 * 3 : place % 3 * 3 + 3] for place in range(2, 7)
    ]
    np.testing.assert_array_equal(batches, expected)


def test_other_origins_are_no_other_traces():
    source, traces = array_source(), 0

    @jax.jit
    def pick(feed, step):
        nonlocal traces
        traces += 1
        return source.pick(feed, step, step)

    for origin in (Origin(), Origin(4, 2), Origin(100, 7)):
        for start in (origin.step, origin.step + 3):
            pick(source.stream(start, origin).take(2).feed, np.int32(start))
    assert traces == 1


def test_a_resized_source_shares_the_arrays():
    source = array_source()
    assert source.resized(5).arrays is source.arrays
    assert source.resized(5).resized(4).steps_per_epoch == source.steps_per_epoch


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (12, "batch_size must be at most 11, the number of examples in train, got 12"),
        (0, "batch_size must be a whole number >= 1, got 0"),
    ],
)
def test_a_batch_size_must_suit_the_arrays(size, message):
    with pytest.raises(ValueError, match=message):
        array_source().resized(size)


@pytest.mark.parametrize("source", [array_source(), PassSource("train", [np.zeros(2)])])
def test_a_stream_begins_at_its_origin_or_later(source):
    with pytest.raises(ValueError, match="start must be a whole number >= 7, got 6"):
        source.stream(6, Origin(7, 1))


def test_the_thread_that_shuffles_ends_with_its_stream():
    before = data_threads()
    closed, forgotten = array_source().stream(), array_source().stream()
    for stream in (closed, forgotten):
        stream.take(2, 100)
    threads = data_threads() - before
    assert threads
    closed.close()
    with pytest.raises(ValueError, match="a stream that has been closed gives no more batches"):
        closed.take(1)
    del stream, forgotten
    assert_ended(threads)


# ---- iterables: from a step on -----------------------------------------------------------------


def test_batches_of_an_iterable_have_the_size_that_they_have():
    with pytest.raises(
        ValueError, match="batch_size cannot be 4 where train is an iterable, which brings its own"
    ):
        PassSource("train", [np.zeros(2)]).resized(4)


@pytest.mark.parametrize("sized", [True, False])
def test_an_iterable_may_begin_at_any_step(sized):
    source = PassSource("train", Counted(3, sized=sized))
    assert firsts(taken(source, [2, 3], 4, start=7)) == [1, 2, 0, 1, 2]


@pytest.mark.parametrize(("place", "read"), [(0, 2), (1, 3)])
def test_passes_of_known_length_are_not_read_to_get_beyond_them(place, read):
    data = Counted(3, sized=True)
    source = PassSource("train", data)
    assert source.steps_per_epoch == 3
    data.read = data.passes = 0
    assert firsts(taken(source, [2], start=3 * 1000 + place)) == [place, place + 1]
    assert (data.read, data.passes) == (read, 1)


def test_a_pass_that_was_made_is_of_known_length():
    lengths, opened = [2, 4, 3, 5], []

    def train(epoch):
        opened.append(epoch)
        return (np.full(2, 10 * epoch + i) for i in range(lengths[epoch]))

    source = PassSource("train", train)
    whole = [10 * epoch + i for epoch, n in enumerate(lengths) for i in range(n)]
    assert firsts(taken(source, [7])) == whole[:7]
    opened.clear()
    # The first two passes are known, and the third was left in its midst.
    assert firsts(taken(source, [4], start=8)) == whole[8:12]
    assert opened == [2, 3]


def with_a_keyword(*, epoch):
    return [np.full(2, epoch)] * 2


def with_a_default(epoch=77):
    return [np.full(2, epoch)] * 2


class Method:
    def __call__(self, epoch):
        return [np.full(2, epoch)] * 2


@pytest.mark.parametrize("train", [with_a_keyword, with_a_default, Method()])
def test_a_function_may_ask_for_the_number_of_the_pass(train):
    source = PassSource("train", train)
    assert firsts(taken(source, [3, 3], 2)) == [0, 0, 1, 1, 2, 2]
    assert firsts(taken(source, [2], start=3)) == [1, 2]
    assert firsts(taken(source, [2], start=10, origin=Origin(9, 5))) == [5, 6]


@pytest.mark.parametrize("train", [lambda i: [], lambda epoch, i: [], lambda epoch, /: []])
def test_other_arguments_are_an_error(train):
    with pytest.raises(
        TypeError, match="train must be a function without arguments, or with one called epoch"
    ):
        PassSource("train", train)


# ---- iterables: ahead --------------------------------------------------------------------------


def test_as_much_as_was_taken_is_read_ahead():
    data = Counted(100)
    source = PassSource("train", data)
    data.read = 0
    stream = source.stream()
    stream.take(5, 50)
    data.wait_for(10)
    stream.take(3, 47)  # two are left, and one more is as many as were taken
    data.wait_for(11)
    stream.close()
    assert data.read == 11


@pytest.mark.parametrize(("ahead", "read"), [(0, 5), (2, 7)])
def test_nothing_is_read_that_the_run_does_not_reach(ahead, read):
    data = Counted(100)
    source = PassSource("train", data)
    data.read = 0
    stream = source.stream()
    stream.take(5, ahead)
    data.wait_for(read)
    stream.close()
    assert data.read == read


def test_a_stream_that_gives_nothing_reads_nothing():
    data, before = Counted(3), data_threads()
    source = PassSource("train", data)
    data.read = 0
    source.stream(1000).close()
    assert data.read == 0
    assert data_threads() <= before


def test_a_short_chunk_does_not_wait_for_what_was_to_be_read_ahead():
    go = threading.Event()

    def train():
        yield from (np.full(2, i) for i in range(7))
        assert go.wait(TIMEOUT)
        yield np.full(2, 7)

    source = PassSource("train", train)
    stream = source.stream()
    assert firsts(drawn(source, stream, [4, 2, 1], 100)) == list(range(7))
    go.set()
    assert firsts(drawn(source, stream, [1])) == [7]
    stream.close()


chunks = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(chunks=chunks, start=st.integers(0, 20), lengths=st.lists(st.integers(1, 7), min_size=1))
def test_chunks_and_reading_ahead_do_not_change_the_batches(chunks, start, lengths):
    def train(epoch):
        for i in range(lengths[epoch % len(lengths)]):
            yield np.full(2, 100 * epoch + i)

    steps = start + sum(n for n, _ in chunks)
    passes = (train(epoch) for epoch in itertools.count())
    whole = list(itertools.islice(itertools.chain.from_iterable(passes), steps))
    source = PassSource("train", train)
    stream, got = source.stream(start), []
    for n, ahead in chunks:
        got.extend(np.asarray(stream.take(n, ahead).feed)[:n])
    stream.close()
    np.testing.assert_array_equal(got, whole[start:])


def test_a_buffer_that_the_iterator_uses_again_is_copied():
    def train():
        buffer = np.zeros(2)
        for i in range(6):
            buffer[:] = i
            yield buffer

    assert firsts(taken(PassSource("train", train), [2, 1, 3], 9)) == list(range(6))


# ---- iterables: when things go wrong -----------------------------------------------------------


def failing(good):
    def the_persons_own():
        for i in range(good):
            yield np.full(2, i)
        raise OSError("the disk is gone")

    return the_persons_own


@pytest.mark.parametrize("ahead", [0, 100])
def test_an_error_comes_with_the_batch_that_it_is_about(ahead):
    source = PassSource("train", failing(5))
    stream = source.stream()
    assert firsts(drawn(source, stream, [3], ahead)) == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone") as caught:
            stream.take(3)
    assert "in the_persons_own" in "".join(traceback.format_exception(caught.value))
    # What came before it is still there.
    assert firsts(drawn(source, stream, [2])) == [3, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        stream.take(1)


def test_an_iterator_that_ends_for_good_is_an_error():
    iterator = iter([np.full(2, i) for i in range(5)])  # its first batch is looked at and lost
    source = PassSource("train", lambda: iterator)
    stream = source.stream()
    assert firsts(drawn(source, stream, [3], 9)) == [1, 2, 3]
    with pytest.raises(ValueError, match="must give at least one batch in every pass, got none"):
        stream.take(2)


def test_an_error_ends_the_thread():
    before = data_threads()
    stream = PassSource("train", failing(1)).stream()
    with pytest.raises(OSError, match="gone"):
        stream.take(2)
    assert_ended(data_threads() - before)


def test_threads_end_with_their_streams():
    before = data_threads()
    source = PassSource("train", Counted(5))
    closed, forgotten = source.stream(), source.stream()
    for stream in (closed, forgotten):
        stream.take(2, 100)
    threads = data_threads() - before
    assert len(threads) == 2
    closed.close()
    closed.close()
    with pytest.raises(ValueError, match="a stream that has been closed gives no more batches"):
        closed.take(1)
    del stream, forgotten
    assert_ended(threads)


def test_the_iterator_is_closed_with_its_stream():
    done = threading.Event()

    def train():
        try:
            while True:
                yield np.zeros(2)
        finally:
            done.set()

    source = PassSource("train", train)
    done.clear()
    stream = source.stream()
    stream.take(2, 5)
    stream.close()
    assert done.wait(TIMEOUT)


def test_a_stream_that_waits_for_its_data_can_be_closed():
    go, reading, before = threading.Event(), threading.Event(), data_threads()

    def train():
        yield np.zeros(2)
        reading.set()
        assert go.wait(TIMEOUT)
        yield np.zeros(2)

    stream = PassSource("train", train).stream()
    errors = []

    def wait():
        try:
            stream.take(2)
        except ValueError as error:
            errors.append(str(error))

    taker = threading.Thread(target=wait)
    taker.start()
    assert reading.wait(TIMEOUT)
    threads = data_threads() - before
    stream._patience = 0.0
    stream.close()
    taker.join(TIMEOUT)
    assert errors == ["a stream that has been closed gives no more batches"]
    go.set()
    assert_ended(threads)


# ---- iterators that tell where they are --------------------------------------------------------


class Iterator:
    """Batches of a shuffled range, with the two methods that grain's iterators have."""

    def __init__(self, log, encode, decode):
        self._log, self._encode, self._decode = log, encode, decode
        self._place = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._place == 7:
            raise StopIteration
        self._place += 1
        self._log.append(self._place)
        return np.full(2, self._place)

    def get_state(self):
        return self._encode({"place": self._place})

    def set_state(self, state):
        self._place = self._decode(state)["place"]


FORMS = {
    "dict": (lambda state: state, lambda state: state),
    "bytes": (lambda state: json.dumps(state).encode(), json.loads),
    "numpy": (lambda state: {"place": np.int64(state["place"])}, lambda state: state),
}


def told(form="dict"):
    """Return a source of such iterators, whose batches tell the pass too, and the log of reads."""
    log = []
    encode, decode = FORMS[form]
    source = PassSource("train", lambda: Iterator(log, encode, decode))
    return source, log


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ahead", [0, 50])
def test_a_stream_goes_on_where_the_iterator_says(form, ahead):
    source, log = told(form)
    lengths = [1, 4, 4, 2, 5, 3, 3, 3, 1, 6]
    whole = firsts(taken(source, [sum(lengths) + 5]))
    assert whole[:8] == [1, 2, 3, 4, 5, 6, 7, 1]
    stream, step = source.stream(), 0
    for length in lengths:
        drawn(source, stream, [length], ahead)
        step += length
        saved = json.loads(json.dumps(stream.state()))
        read = len(log)
        again = source.stream(step, saved=saved)
        assert firsts(drawn(source, again, [2, 3], start=step)) == whole[step : step + 5]
        again.close()
        if not ahead:  # else the first stream reads meanwhile
            assert len(log) - read == 5
    stream.close()


def test_a_place_in_the_midst_of_a_stack_costs_few_batches():
    source, log = told()
    stream = source.stream()
    stream.take(6, 100)
    stream.take(6, 100)
    stream.take(2, 100)
    saved = stream.state()
    stream.close()
    read = len(log)
    again = source.stream(14, saved=saved)
    assert firsts(drawn(source, again, [1])) == [1]
    assert len(log) - read <= 3
    # It says where it is before it has read anything further.
    assert source.stream(14, saved=saved).state() == saved


def test_a_run_that_went_on_can_be_saved_again():
    source, _ = told()
    whole = firsts(taken(source, [40]))
    saved, step = None, 0
    for length in (3, 5, 2, 7, 4):
        stream = source.stream(step, saved=saved)
        assert firsts(drawn(source, stream, [length], 3)) == whole[step : step + length]
        saved, step = stream.state(), step + length
        stream.close()


def test_a_state_that_is_not_data_is_not_saved():
    class Odd(Iterator):
        def get_state(self):
            return object()

    source = PassSource("train", lambda: Odd([], *FORMS["dict"]))
    stream = source.stream()
    stream.take(3)
    assert stream.state() is None


def test_arrays_and_plain_iterables_have_no_state():
    for source in (array_source(), PassSource("train", [np.zeros(2)])):
        stream = source.stream()
        stream.take(2, 4)
        assert stream.state() is None
        stream.close()


GOOD = {"epoch": 0, "place": 2, "skip": 0, "iterator": {"json": '{"place": 2}'}}


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ([1], r"saved must be what the stream of train said of its state, got \[1\]"),
        ({"epoch": 1}, "saved must be what the stream of train said of its state"),
        (GOOD | {"place": -1}, r"saved\['place'\] must be a whole number >= 0, got -1"),
        (GOOD | {"iterator": {"bytes": "?"}}, r"saved\['iterator'\] must be a state as it was"),
        (GOOD | {"iterator": {"json": "{"}}, r"saved\['iterator'\] must be a state as it was"),
        (GOOD | {"iterator": 3}, r"saved\['iterator'\] must be a state as it was"),
    ],
)
def test_a_damaged_state_is_an_error(saved, message):
    with pytest.raises(ValueError, match=message):
        told()[0].stream(2, saved=saved).take(1)


def test_a_state_needs_an_iterator_that_takes_it():
    source = PassSource("train", [np.zeros(2)] * 4)
    with pytest.raises(ValueError, match="train must give iterators with get_state and set_state"):
        source.stream(2, saved=GOOD).take(1)
