"""The rates that parameters are really trained with, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lrwidget.optimizers import ALL, Chain, Link
from lrwidget.optimizers._assembly import first_of_its_own

NAME = "effective_learning_rate"

Column = npt.NDArray[Any]


class EffectiveRates:
    """The product, at each step, of a learning rate, a group's multiplier and adaptive scales.

    There is one for each group, ``"head/effective_learning_rate"``, and one for all other
    parameters where an adaptive link scales their rate. It is NaN where the links of a group have
    no learning rate, or more than one.

    Parameters
    ----------
    chain
        Whose rates they are.
    addresses
        The live hyperparameters, full addresses in the order of the rows.

    Attributes
    ----------
    names
        The columns of a history, in order.
    """

    def __init__(self, chain: Chain, addresses: Sequence[str]):
        self._chain = chain
        self._addresses = list(addresses)
        self._factors: dict[str, list[str | None]] = {}
        rate, scales = self._of(ALL)
        if rate is not None and scales:
            self._factors[NAME] = [rate, *scales]
        # What stands before the chains of groups scales these as well.
        first = first_of_its_own(chain.links)
        shared = _scales(list(chain.labelled_in(ALL))[:first])
        for group in chain.groups:
            own, its_scales = self._of(group.name)
            if group.own:
                self._factors[f"{group.name}/{NAME}"] = [own, *shared, *its_scales]
            else:
                multiplier = chain.resolve(f"{group.name}/multiplier")
                self._factors[f"{group.name}/{NAME}"] = [rate, multiplier, *scales]
        self.names = tuple(self._factors)

    def columns(
        self, rows: npt.NDArray[np.float64], reports: Mapping[str, Column]
    ) -> dict[str, Column]:
        """Return each column for some steps.

        Parameters
        ----------
        rows
            What was applied, of shape (steps, addresses).
        reports
            What the links told, address -> array of shape (steps,).
        """
        ones = np.ones(len(rows))
        return {
            name: np.prod([ones, *(self._factor(f, rows, reports) for f in factors)], axis=0)
            for name, factors in self._factors.items()
        }

    def _factor(
        self, address: str | None, rows: npt.NDArray[np.float64], reports: Mapping[str, Column]
    ) -> Any:
        if address is None:
            return np.full(len(rows), np.nan)
        if address in self._addresses:
            return rows[:, self._addresses.index(address)]
        if address in reports:
            return np.asarray(reports[address], np.float64)
        # Compiled in, and so a number.
        return np.full(len(rows), float(self._chain.value(address)))

    def _of(self, group: str) -> tuple[str | None, list[str]]:
        """Return the address of a group's learning rate, and the reports that scale it."""
        links: list[tuple[str, Link]] = list(self._chain.labelled_in(group))
        rates = [
            f"{label}.{link.declaration.rate}"
            for label, link in links
            if link.declaration.rate and link[link.declaration.rate] is not None
        ]
        return (rates[0] if len(rates) == 1 else None), _scales(links)


def _scales(links: list[tuple[str, Link]]) -> list[str]:
    return [f"{label}.{link.declaration.scale}" for label, link in links if link.declaration.scale]
