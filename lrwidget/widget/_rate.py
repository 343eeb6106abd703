"""Which of a chain's hyperparameters the curve is."""

from __future__ import annotations

from lrwidget.optimizers import ALL, Chain


def rate_of(chain: Chain) -> str:
    """Return the address of a chain's learning rate, or raise a ValueError that says what to do."""
    if (address := chain.rate) is not None:
        return address
    rates = {
        f"{label}.{link.declaration.rate}": link[link.declaration.rate]
        for label, link in chain.labelled_in(ALL)
        if link.declaration.rate
    }
    live = chain.addresses()
    given = [address for address in rates if address in live]
    if len(given) > 1:
        raise ValueError(
            "the chain must have one learning rate, which is the curve; got "
            f"{' and '.join(given)}: keep one of them"
        )
    if (fixed := next((a for a, value in rates.items() if value is not None), None)) is not None:
        raise ValueError(
            f"the chain must have a learning rate, which is the curve; {fixed} is fixed once the "
            "optimizer is built: take another optimizer"
        )
    if rates:
        raise ValueError(
            f"the chain must have a learning rate, which is the curve; {' and '.join(rates)} is "
            "None: give it a number, such as 1.0"
        )
    custom = [link.name for link in chain.links if not link.declaration.registered]
    more = f", or call that of {custom[0]} learning_rate" if custom else ""
    raise ValueError(
        "the chain must have a learning rate, which is the curve: add an optimizer such as adamw, "
        f"or scale_by_learning_rate at the end{more}"
    )
