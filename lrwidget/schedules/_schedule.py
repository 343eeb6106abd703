"""`Schedule`: one hyperparameter over steps, as immutable data."""

from __future__ import annotations

import dataclasses
import functools
import numbers
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.schedules import _lengths
from lrwidget.schedules._declaration import Array
from lrwidget.schedules._parts import Part, Segment, check_size
from lrwidget.schedules._shapes import shapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lrwidget.schedules._comparison import Comparison


@dataclasses.dataclass(frozen=True, init=False)
class Schedule:
    """One hyperparameter over steps: parts laid end to end.

    Called with a step (a number or an array, ``>= 0``, fractions allowed) it gives the value: on
    the host in float64, and in JAX where the step is a JAX array or tracer, so that
    ``optax.adam(schedule)`` works as it is. Past the end it holds its last value.

    Parameters
    ----------
    *parts
        Segments, slices or whole schedules; only the last may be without end.

    Raises
    ------
    TypeError
        If a part is something else.
    ValueError
        If there are no parts, or one without end is not the last.

    Examples
    --------
    >>> schedule = Schedule(
    ...     Segment("linear", 100, init_value=0.0, end_value=3e-3),
    ...     Segment("cosine", 1900, init_value=3e-3, end_value=0.0),
    ... )
    >>> schedule(50), schedule(100), schedule(5000)
    (0.0015, 0.003, 0.0)
    """

    parts: tuple[Part, ...]

    def __init__(self, *parts: Part | Schedule):
        object.__setattr__(self, "parts", tuple(_flattened(parts)))
        if not self.parts:
            raise ValueError("a schedule must have at least one part, got none")
        for i, part in enumerate(self.parts[:-1]):
            if part.steps is None:
                raise ValueError(
                    f"only the last part may be without end, got part {i + 1} of "
                    f"{len(self.parts)}: {part!r}"
                )
        check_size(self.size)

    @classmethod
    def join(cls, *schedules: Part | Schedule) -> Self:
        """Return the schedules one after the other."""
        return cls(*schedules)

    # ---- what it says -------------------------------------------------------------------------

    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: npt.NDArray[Any]) -> npt.NDArray[np.float64]: ...
    @overload
    def __call__(self, step: Any) -> Any: ...
    def __call__(self, step: Any) -> Any:
        """Return the value at `step`, an array for an array."""
        jax = sys.modules.get("jax")
        if jax is not None and isinstance(step, jax.Array):
            return self._in_jax(jax.numpy, step)
        try:
            steps = np.asarray(step, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"step must be a number >= 0 or an array of them, got {step!r}"
            ) from None
        if not np.all(steps >= 0):
            raise ValueError(f"step must be a number >= 0, got {step!r}")
        values = self.values(np, steps)
        return float(values) if steps.ndim == 0 else values

    def values(self, xp: Any, local: Array) -> Array:
        """Evaluate at steps with `xp`, either ``numpy`` or ``jax.numpy``; they are not checked."""
        if xp is not np:
            return self._in_jax(xp, xp.asarray(local))
        if len(self.parts) == 1:
            return self.parts[0].values(np, local)
        # Which part a step lies in is settled before any formula runs, so that a schedule of five
        # hundred knots costs one evaluation of each step, not five hundred.
        steps = np.asarray(local, dtype=np.float64)
        index = np.searchsorted(np.asarray(self.borders), steps, side="right")
        values = np.empty_like(steps)
        for i in np.unique(index):
            at = index == i
            values[at] = self.parts[i].values(np, steps[at] - self._starts[i])
        return values

    def _in_jax(self, jnp: Any, step: Array) -> Array:
        value = self.parts[0].values(jnp, step)
        for border, part in zip(self.borders, self.parts[1:], strict=True):
            value = jnp.where(step < border, value, part.values(jnp, step - border))
        return value

    @functools.cached_property
    def steps(self) -> int | None:
        """The length in steps; None if the last part is without end."""
        return _lengths.total(self.parts)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The leaves in order, those inside nodes included."""
        return tuple(segment for part in self.parts for segment in part.segments)

    @property
    def borders(self) -> tuple[int, ...]:
        """The steps at which the second and each later part begins."""
        return self._starts[1:]

    @property
    def marks(self) -> tuple[int, ...]:
        """The steps at which the curve may jump or bend: the borders, and those inside the parts.

        Of what repeats many times only the first are told.
        """
        marks = set(self.borders)
        for begin, part in zip(self._starts, self.parts, strict=True):
            marks.update(begin + mark for mark in part.marks)
        return tuple(sorted(marks))

    @functools.cached_property
    def _starts(self) -> tuple[int, ...]:
        return _lengths.starts(self.parts)

    @functools.cached_property
    def depth(self) -> int:
        """How many nodes lie around the deepest leaf."""
        return max(part.depth for part in self.parts)

    @functools.cached_property
    def size(self) -> int:
        """The number of nodes and leaves in all."""
        return sum(part.size for part in self.parts)

    @functools.cached_property
    def peak_value(self) -> float:
        """The highest value."""
        return max(part.peak_value for part in self.parts)

    @property
    def monotone(self) -> bool:
        """Whether the highest value is known to be the start or the end value."""
        return len(self.parts) == 1 and self.parts[0].monotone

    @property
    def end_value(self) -> float:
        """The value that holds past the end."""
        return self.parts[-1].end_value

    def __repr__(self) -> str:
        return f"Schedule({', '.join(map(repr, self.parts))})"

    # ---- what can be made of it ---------------------------------------------------------------

    def scaled(self, factor: float) -> Self:
        """Return the same curve times `factor`, a finite number > 0."""
        factor = _checks.finite("factor", factor, low=0.0, low_open=True)
        return type(self)(*(part.scaled(factor) for part in self.parts))

    def with_peak(self, peak_value: float) -> Self:
        """Return the same curve scaled so that its highest value is `peak_value` > 0."""
        peak_value = _checks.finite("peak_value", peak_value, low=0.0, low_open=True)
        if self.peak_value == 0.0:
            raise ValueError(
                "peak_value cannot be set on a schedule that is zero everywhere, "
                f"got {peak_value!r}"
            )
        return self.scaled(peak_value / self.peak_value)

    def multiplied(self, other: float | Part | Schedule) -> Self:
        """Return this curve times `other`, a number > 0 or a schedule; also written ``a * b``.

        The product of two schedules is as long as the first, or as the second where the first is
        without end. Both are read in the same steps, and hold past their ends.
        """
        from lrwidget.schedules._nodes import Product

        if not isinstance(other, Part | Schedule):
            return self.scaled(other)
        return type(self)(Product(self, other))

    def __mul__(self, other: Any) -> Self:
        known = isinstance(other, Part | Schedule | numbers.Real)
        return self.multiplied(other) if known else NotImplemented

    __rmul__ = __mul__

    # Without it a NumPy number would take a schedule for something to make an array of.
    __array_ufunc__ = None

    def repeated(
        self, times: int | None = None, decay_rate: float = 1.0, floor: float = 0.0
    ) -> Self:
        """Return this curve again and again.

        Parameters
        ----------
        times
            How often, at least 1; None means without end.
        decay_rate
            The i-th time (from 0) is ``floor + (v - floor) * decay_rate**i``; in (0, 1].
        floor
            What the values decay towards, >= 0.
        """
        from lrwidget.schedules._nodes import Repeat

        return type(self)(Repeat(self, times, decay_rate, floor))

    def reversed(self) -> Self:
        """Return this curve read backwards."""
        from lrwidget.schedules._nodes import Reverse

        [first, *others] = self.parts
        if isinstance(first, Reverse) and not others:
            return type(self)(first.part)
        return type(self)(Reverse(self))

    def clipped(self, low: float | None = None, high: float | None = None) -> Self:
        """Return this curve held between `low` and `high`, each >= 0 or None for no bound."""
        from lrwidget.schedules._nodes import Clip

        return type(self)(Clip(self, low, high))

    def staircase(self, every: int) -> Self:
        """Return this curve read only every `every` steps, and held between."""
        from lrwidget.schedules._nodes import Staircase

        return type(self)(Staircase(self, every))

    def sliced(self, start: int, steps: int | None = None) -> Self:
        """Return the curve from step `start` on, for `steps` steps (default: the rest of it)."""
        start = _checks.integer("start", start, low=0)
        if steps is not None:
            steps = _checks.integer("steps", steps, low=1)
        return type(self)(*_lengths.cut(self.parts, start, steps))

    def replaced_from(self, step: int, other: Part | Schedule) -> Self:
        """Return this curve before `step`, and `other`, read in the same steps, from there on."""
        step = _checks.integer("step", step, low=0)
        rest = type(self)(other).sliced(step)
        return rest if step == 0 else type(self)(self.sliced(0, step), rest)

    def cooldown_from(
        self, step: int, steps: int, end_value: float = 0.0, shape: str = "linear"
    ) -> Self:
        """Return this curve up to `step`, then a fall to `end_value` over `steps` steps.

        Parameters
        ----------
        step
            Where the fall begins, >= 0: at the value that the curve has there.
        steps
            Its length, at least 1.
        end_value
            The value that it reaches and holds.
        shape
            The name of a shape with a value at either end: ``"linear"``, ``"cosine"``,
            ``"one_minus_power"`` (1-sqrt), …; its other parameters have their defaults.
        """
        step = _checks.integer("step", step, low=0)
        [init, end] = _two_ends(shape)
        ends = {init: float(self(step)), end: end_value}
        ramp = Segment(shape, _checks.integer("steps", steps, low=1), **ends)
        return type(self)(ramp) if step == 0 else type(self)(self.sliced(0, step), ramp)

    def extended(self, steps: int, value: float | None = None) -> Self:
        """Return this curve and then `value` (default: the end value) for `steps` more steps."""
        value = self.end_value if value is None else value
        return type(self)(
            self, Segment("constant", _checks.integer("steps", steps, low=1), value=value)
        )

    def extend_to(self, steps: int) -> Self:
        """Return a longer or shorter run of the same plan, `steps` steps in all.

        The plan is kept as a person would keep it:

        1. The longest stretch at the constant peak before a decay, if there is one, takes the
           difference: the stable phase of a warmup-stable-decay schedule, the flat part of
           flat-cosine. Warmup and decay keep their lengths. Where it cannot give as many steps as
           a shorter run takes away, the whole curve is stretched to the new length instead.
        2. Otherwise a last part that is periodic, constant, or a function of the step alone goes
           on, or stops earlier.
        3. Otherwise the end value is held in a longer run, and a shorter one is cut off.

        To give every part its share instead, see `stretched`.
        """
        steps = _checks.integer("steps", steps, low=1)
        return type(self)(*_lengths.extended_to(self.parts, steps))

    def going_on(self, steps: int) -> Self | None:
        """Return this curve for `steps` steps, its last part going on as it does, or None.

        None where the last part has an end of its own, as a decay has.
        """
        longer = _lengths.going_on(self.parts, steps)
        return None if longer is None else type(self)(*longer)

    def resume_at(self, step: int) -> Self:
        """Return the rest of this curve from `step` on, for a run whose count begins anew there.

        A run that restores its step count reads the schedule as it is, and needs no such thing.
        `compared_with` says what changes when a run goes on with another schedule.
        """
        return self.sliced(step)

    def compared_with(self, new: Schedule, step: int = 0) -> Comparison:
        """Return how `new` differs from this curve from `step` on, both in steps of the run.

        Examples
        --------
        >>> old = Schedule(Segment("linear", 100, init_value=1.0, end_value=0.0))
        >>> print(old.compared_with(old.extend_to(200), 50))
        at step 50: 0.5 → 0.5 (no jump)
        old: ends at 0, until step 100
        new: ends at 0, until step 200
        largest difference: 0 at step 50
        """
        from lrwidget.schedules._comparison import compare

        return compare(self, new, step)

    def smoothed(self, window: int, *, tolerance: float = 0.005) -> Schedule:
        """Return the curve without its jumps, as few straight lines.

        Each value is the mean of those within half a window on either side; at either end, of as
        many on both sides as there are, so that the first and the last value stay. What a run
        really applied, `Trainer.effective_schedule`, becomes a plan for the next one by this.

        Parameters
        ----------
        window
            Its length in steps, at least 2.
        tolerance
            How far the lines may stray from the means, as a share of the peak, in [0, 1].

        Raises
        ------
        ValueError
            If the curve has no end.
        """
        from lrwidget.schedules._lines import smoothed

        return smoothed(self, window, tolerance)

    def shifted(self, steps: int) -> Self:
        """Return the start value for `steps` steps, and then this curve."""
        steps = _checks.integer("steps", steps, low=0)
        if steps == 0:
            return self
        return type(self)(Segment("constant", steps, value=self.parts[0].start_value), self)

    def stretched(self, steps: int) -> Self:
        """Return the same curve over `steps` steps, every border moved in proportion.

        Where the last part is without end, it takes what the others leave.
        """
        return self.lasting(_checks.integer("steps", steps, low=len(self.parts)))

    def lasting(self, steps: int) -> Self:
        """Return the curve as `stretched` does; parts for which there is no step left are gone."""
        return type(self)(*_lengths.lasting(self.parts, steps))

    def slowed(self, ratio: float) -> Self:
        """Return the same curve `ratio` times as long, and without end if it is so."""
        return type(self)(*_lengths.slowed(self.parts, ratio))

    # ---- in and out ---------------------------------------------------------------------------

    def to_optax(self) -> Callable[[Any], Any]:
        """Return the curve as an ``optax.Schedule`` built from Optax's own functions.

        It is jittable, evaluates in float32, agrees with the host within 1e-6 of the peak, and
        holds its last value past the end.
        """
        from lrwidget.schedules._export._optax import build
        from lrwidget.schedules._export._program import program

        return build(program(self))

    def to_code(
        self, name: str = "learning_rate", *, hold: bool = False, framework: str = "optax"
    ) -> str:
        """Return the curve as Python source that needs its framework alone.

        Parameters
        ----------
        name
            The name that the source gives to the schedule: a Python identifier.
        hold
            Whether the text must also hold the last value past the end. Without, a few shapes are
            written shorter and go on as Optax lets them. Code for other frameworks always holds.
        framework
            ``"optax"``, ``"pytorch"`` (a function for ``LambdaLR``) or ``"keras"`` (a
            ``LearningRateSchedule``).

        Returns
        -------
        str
            Source text that runs alone and defines `name`.
        """
        frameworks = ("optax", "pytorch", "keras")
        if name in frameworks[1:]:
            raise ValueError(f"name must not be a framework's; say framework={name!r}")
        match _checks.choice("framework", framework, frameworks):
            case "pytorch":
                from lrwidget.schedules._export._frameworks import write_pytorch

                return write_pytorch(self, name)
            case "keras":
                from lrwidget.schedules._export._frameworks import write_keras

                return write_keras(self, name)
            case _:
                from lrwidget.schedules._export._code import write_schedule

                return write_schedule(self, name, hold=hold)

    def to_node(self, *, samples: bool = False) -> dict[str, Any]:
        """Return the curve as plain JSON data; `samples` adds points to shapes without a twin."""
        from lrwidget.schedules._json import to_node

        return to_node(self, samples=samples)

    @classmethod
    def from_node(cls, node: Any) -> Self:
        """Return the schedule that `to_node` wrote; a ValueError says where it cannot be read."""
        from lrwidget.schedules._json import from_node

        return cls(from_node(node))

    def to_json(self) -> str:
        """Return the curve as JSON text with its schema and version."""
        from lrwidget.schedules._json import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the schedule that `to_json` wrote; a ValueError says where it cannot be read."""
        from lrwidget.schedules._json import from_json

        return cls(from_json(text))

    @classmethod
    def from_optax(cls, function: Callable[[Any], Any], steps: int) -> Schedule:
        """Return the schedule that a function of the step is, over `steps` steps.

        Optax's own functions are read by their parameters; in others known shapes are looked for.
        What is not recognised is followed by straight lines, and an `ApproximationWarning` says how
        far they are from it; `recognise` gives that figure as data.

        Parameters
        ----------
        function
            Takes a step and returns a number >= 0: an ``optax.Schedule``, or one of your own.
        steps
            The length of the schedule, 2 to ten million.
        """
        from lrwidget.schedules._recognise import from_optax

        return from_optax(function, steps)

    @classmethod
    def from_csv(
        cls, source: str | os.PathLike[str], *, tolerance: float | None = None
    ) -> Schedule:
        """Return the curve of a table of step and value.

        Few lines through the points where few will do; known shapes where every step has a row and
        they fit; else straight lines within 1e-3 of the peak, with an `ApproximationWarning`.

        Parameters
        ----------
        source
            CSV text, or the path of a file as a `pathlib.Path`. Two columns, separated by a comma,
            semicolon or tab; a first row of names is skipped. Steps are whole numbers and rise; the
            first value holds before its step.
        tolerance
            With a number, always straight lines: how far they may stray from the points, as a
            share of the highest value, in [0, 1]. At 0 they pass through every point.

        Raises
        ------
        ValueError
            If a row cannot be read; it says which.
        """
        from lrwidget.schedules._table import read_csv

        return read_csv(source, tolerance=tolerance)

    def to_csv(self) -> str:
        """Return the curve as rows of step and value: every step, or 10 000 and every border."""
        from lrwidget.schedules._table import write_csv

        return write_csv(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve with matplotlib, on `ax` or on a new figure, and return the axes."""
        from lrwidget.plotting import plot_schedule

        return plot_schedule(self, ax)


def _flattened(parts: tuple[Part | Schedule, ...]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Schedule):
            yield from part.parts
        elif isinstance(part, Part):
            yield part
        else:
            raise TypeError(f"a part must be a Segment or a Schedule, got {part!r}")


def _two_ends(name: str) -> tuple[str, str]:
    """Return the names of a shape's values at its start and its end."""
    ends: dict[str, tuple[str, str]] = {}
    for shape in shapes().values():
        start = [p.name for p in shape.parameters if p.role == "start"]
        end = [p.name for p in shape.parameters if p.role == "end"]
        if start and end:
            ends[shape.name] = (start[0], end[0])
    return ends[_checks.choice("shape", name, ends)]
