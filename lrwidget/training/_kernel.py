"""What the notebook's kernel can do while a cell waits."""

from __future__ import annotations

import functools
import sys
import warnings


@functools.cache
def warn_if_deaf() -> None:
    """Warn, once, if clicks may not arrive while a cell awaits; silent outside a kernel."""
    # A kernel must have imported both, so that nothing is imported to find out.
    ipython, ipykernel = sys.modules.get("IPython"), sys.modules.get("ipykernel")
    if ipython is None or ipykernel is None:
        return
    shell = ipython.get_ipython()
    if getattr(shell, "kernel", None) is None or tuple(ipykernel.version_info[:2]) >= (7, 4):
        return
    warnings.warn(
        f"ipykernel {ipykernel.__version__} may deliver no clicks while a cell awaits: use "
        "start(), after which the cell returns, or ipykernel 7.4 or newer",
        RuntimeWarning,
        stacklevel=3,
    )
