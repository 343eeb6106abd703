"""`Schedule`: one hyperparameter over steps, as immutable data."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt

from lrwidget import _checks
from lrwidget.schedules._declaration import Array
from lrwidget.schedules._parts import Part, Segment, Slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        # Which part a step lies in is settled before any formula runs, so that a schedule of five
        # hundred knots costs one evaluation of each step, not five hundred.
        index = np.searchsorted(np.asarray(self.borders), steps, side="right")
        values = np.empty_like(steps)
        for i in np.unique(index):
            at = index == i
            values[at] = self.parts[i].values(np, steps[at] - self._starts[i])
        return float(values) if values.ndim == 0 else values

    def _in_jax(self, jnp: Any, step: Array) -> Array:
        value = self.parts[0].values(jnp, step)
        for border, part in zip(self.borders, self.parts[1:], strict=True):
            value = jnp.where(step < border, value, part.values(jnp, step - border))
        return value

    @property
    def steps(self) -> int | None:
        """The length in steps; None if the last part is without end."""
        last = self.parts[-1].steps
        return None if last is None else self._starts[-1] + last

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The leaves in order."""
        return tuple(p.segment if isinstance(p, Slice) else p for p in self.parts)

    @property
    def borders(self) -> tuple[int, ...]:
        """The steps at which the second and each later part begins."""
        return self._starts[1:]

    @property
    def _starts(self) -> tuple[int, ...]:
        starts = [0]
        for part in self.parts[:-1]:
            starts.append(starts[-1] + (part.steps or 0))
        return tuple(starts)

    @property
    def peak_value(self) -> float:
        """The highest value."""
        return max(part.peak_value for part in self.parts)

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

    def sliced(self, start: int, steps: int | None = None) -> Self:
        """Return the curve from step `start` on, for `steps` steps (default: the rest of it)."""
        start = _checks.integer("start", start, low=0)
        if steps is not None:
            steps = _checks.integer("steps", steps, low=1)
        stop = self.steps if steps is None else start + steps
        kept: list[Part] = []
        for begin, part in zip(self._starts, self.parts, strict=True):
            end = None if part.steps is None else begin + part.steps
            low = max(begin, start)
            high = stop if end is None else (end if stop is None else min(end, stop))
            if high is None or low < high:
                kept.append(part.cut(low - begin, None if high is None else high - low))
        if self.steps is not None and (stop is None or stop > self.steps or not kept):
            held = None if steps is None else start + steps - max(self.steps, start)
            kept.append(Segment("constant", held, value=self.end_value))
        return type(self)(*kept)

    def replaced_from(self, step: int, other: Part | Schedule) -> Self:
        """Return this curve before `step`, and `other`, read in the same steps, from there on."""
        step = _checks.integer("step", step, low=0)
        rest = type(self)(other).sliced(step)
        return rest if step == 0 else type(self)(self.sliced(0, step), rest)

    def cooldown_from(self, step: int, steps: int, end_value: float = 0.0) -> Self:
        """Return this curve up to `step`, then a line to `end_value` over `steps` steps."""
        step = _checks.integer("step", step, low=0)
        ramp = Segment("linear", steps, init_value=float(self(step)), end_value=end_value)
        return type(self)(ramp) if step == 0 else type(self)(self.sliced(0, step), ramp)

    def extended(self, steps: int, value: float | None = None) -> Self:
        """Return this curve and then `value` (default: the end value) for `steps` more steps."""
        value = self.end_value if value is None else value
        return type(self)(
            self, Segment("constant", _checks.integer("steps", steps, low=1), value=value)
        )

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
        steps = _checks.integer("steps", steps, low=len(self.parts))
        borders = self.borders
        if self.steps is not None:
            ratio = steps / self.steps
            borders = tuple(round(b * ratio) for b in borders)
        starts = [0]
        for i, border in enumerate(borders):
            # Each part keeps at least one step, and leaves one to each that follows.
            starts.append(min(max(border, starts[-1] + 1), steps - len(borders) + i))
        ends = [*starts[1:], steps]
        return type(self)(
            *(
                part.lasting(end - start)
                for part, start, end in zip(self.parts, starts, ends, strict=True)
            )
        )

    # ---- in and out ---------------------------------------------------------------------------

    def to_optax(self) -> Callable[[Any], Any]:
        """Return the curve as an ``optax.Schedule`` built from Optax's own functions.

        It is jittable, evaluates in float32, agrees with the host within 1e-6 of the peak, and
        holds its last value past the end.
        """
        from lrwidget.schedules._optax import build
        from lrwidget.schedules._program import program

        return build(program(self))

    def to_code(self, name: str = "learning_rate", *, hold: bool = False) -> str:
        """Return the curve as Python source that needs Optax and JAX alone.

        Parameters
        ----------
        name
            The name that the source gives to the schedule: a Python identifier.
        hold
            Whether the text must also hold the last value past the end. Without, a few shapes are
            written shorter and go on as Optax lets them.

        Returns
        -------
        str
            Source text that runs alone and defines `name`.
        """
        from lrwidget.schedules._code import write_schedule

        return write_schedule(self, name, hold=hold)

    def to_node(self, *, samples: bool = False) -> dict[str, Any]:
        """Return the curve as plain JSON data; `samples` adds points to shapes without a twin."""
        from lrwidget.schedules._json import to_node

        return to_node(self, samples=samples)

    @classmethod
    def from_node(cls, node: Any) -> Self:
        """Return the schedule that `to_node` wrote; a ValueError says where it cannot be read."""
        from lrwidget.schedules._json import from_node

        return cls(*from_node(node))

    def to_json(self) -> str:
        """Return the curve as JSON text with its schema and version."""
        from lrwidget.schedules._json import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the schedule that `to_json` wrote; a ValueError says where it cannot be read."""
        from lrwidget.schedules._json import from_json

        return cls(*from_json(text))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve with matplotlib, on `ax` or on a new figure, and return the axes."""
        from lrwidget.plotting import plot_schedule

        return plot_schedule(self, ax)


def _flattened(parts: tuple[Part | Schedule, ...]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Schedule):
            yield from part.parts
        elif isinstance(part, Segment | Slice):
            yield part
        else:
            raise TypeError(f"a part must be a Segment or a Schedule, got {part!r}")
