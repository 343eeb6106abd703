"""A JupyterLab of the tests' own, and a notebook open in it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Locator, Page

# Under load everything takes several times as long.
START_SECONDS = 120
END_SECONDS = 60

# No question about news at the first start; and what a test shows is not saved for the next one,
# which would open the notebook with outputs of a kernel that is gone.
SETTINGS = {
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

# JavaScript: the panel of the notebook at a path, or undefined. It takes no focus.
PANEL = """(path) => window.jupyterapp &&
  [...jupyterapp.shell.widgets("main")].find((widget) => widget.context?.path === path)"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lab:
    """A running JupyterLab.

    Attributes
    ----------
    url
        Its address, without a closing slash; it asks for no token.
    root
        The folder that it shows, a copy: tests may change what is in it.
    """

    url: str
    root: Path

    def write(self, name: str, *sources: str) -> str:
        """Write a notebook with one code cell for each source; return its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in sources],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.root / name)
        return name

    def shut_down_kernels(self) -> None:
        """End every kernel: one that trains on would take the next test's time."""
        for session in self._request("GET", "api/sessions"):
            self._request("DELETE", f"api/sessions/{session['id']}")

    def _request(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.url}/{path}", method=method)
        with urllib.request.urlopen(request, timeout=END_SECONDS) as response:
            text = response.read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def running_lab(folder: Path, notebooks: Sequence[Path] = ()) -> Iterator[Lab]:
    """Start a JupyterLab that shares nothing with the person's own, and end it afterwards.

    Parameters
    ----------
    folder
        An empty folder for everything that it reads and writes.
    notebooks
        Files to copy into the folder that it shows.
    """
    root = folder / "root"
    root.mkdir(parents=True)
    for notebook in notebooks:
        shutil.copy(notebook, root)
    log = folder / "jupyterlab.log"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        # Whichever port is free when it listens; it says which.
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
        f"--ServerApp.root_dir={root}",
        *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url="),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(folder), stdout=output, stderr=subprocess.STDOUT, cwd=root
        )
    try:
        yield Lab(url=_address(folder / "runtime", process, log), root=root)
    finally:
        process.terminate()
        process.wait(timeout=END_SECONDS)


def _environment(folder: Path) -> dict[str, str]:
    settings = folder / "settings"
    for name, values in SETTINGS.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    _write_kernelspec(folder / "data/kernels/python3")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))}
    return inherited | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        # The kernel below goes before one of the same name in the environment.
        "JUPYTER_PREFER_ENV_PATH": "0",
    }


def _write_kernelspec(folder: Path) -> None:
    folder.mkdir(parents=True)
    kernel = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "env": {"JAX_PLATFORMS": "cpu"},
        "metadata": {"debugger": True},
    }
    (folder / "kernel.json").write_text(json.dumps(kernel))


def _address(runtime: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server answers, and return its address."""
    for _ in range(START_SECONDS * 5):
        # Not there yet, half written, or of a server that does not listen yet.
        with contextlib.suppress(OSError, ValueError):
            for file in runtime.glob("jpserver-*.json"):
                url = f"http://127.0.0.1:{json.loads(file.read_text())['port']}"
                with urllib.request.urlopen(f"{url}/api", timeout=END_SECONDS):
                    return url
        # Paces the loop, and ends it at once when the server died.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
            break
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


class Notebook:
    """A notebook open in a page of JupyterLab, its kernel ready.

    Parameters
    ----------
    page
        The browser's page.
    lab
        The JupyterLab that serves it.
    name
        The notebook's file name under ``lab.root``.
    theme
        ``"light"`` or ``"dark"``.
    """

    def __init__(self, page: Page, lab: Lab, name: str, *, theme: str = "light"):
        self.page = page
        self.name = name
        page.goto(f"{lab.url}/lab/tree/{name}?reset")
        self._wait_for_kernel()
        self.set_theme(theme)

    def reload(self) -> None:
        """Save the notebook, reload the page and wait for the notebook and its kernel."""
        self._command("docmanager:save")
        self.page.reload()
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(PANEL, arg=self.name)
        self._with_panel(
            """async (panel) => {
              await jupyterapp.restored;
              await panel.context.ready;
              await panel.sessionContext.ready;
              await panel.sessionContext.session.kernel.info;
              jupyterapp.shell.collapseLeft();
            }"""
        )

    def set_theme(self, theme: str) -> None:
        """Switch JupyterLab to its light or its dark theme."""
        name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
        self._command("apputils:change-theme", {"theme": name})
        light = "true" if theme == "light" else "false"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")

    def run_all(self) -> None:
        """Run every cell and wait for the last; a cell that raises fails the test."""
        if not self._command("notebook:run-all-cells"):
            raise AssertionError(f"{self.name} did not run to its end:\n{self.errors()}")

    def run(self, index: int) -> None:
        """Run one cell and wait for it; one that raises fails the test."""
        self._select(index)
        if not self._command("notebook:run-cell"):
            raise AssertionError(f"cell {index} of {self.name} raised:\n{self.errors()}")

    def evaluate(self, expression: str) -> str:
        """Return the ``repr`` of a Python expression in the kernel, without a cell of its own."""
        reply = self._with_panel(
            """async (panel, expression) => {
              const kernel = panel.sessionContext.session.kernel;
              const user_expressions = { value: expression };
              const request = { code: "", silent: true, store_history: false, user_expressions };
              return (await kernel.requestExecute(request).done).content.user_expressions.value;
            }""",
            expression,
        )
        if reply["status"] != "ok":
            raise AssertionError(f"{expression}: {reply['ename']}: {reply['evalue']}")
        return reply["data"]["text/plain"]

    def cell(self, index: int) -> Locator:
        """Scroll a cell into view and return its element (those far away are not in the page)."""
        self._select(index)
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def output(self, index: int) -> Locator:
        """Return what a cell shows below its source."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def errors(self) -> str:
        """Return the tracebacks that stand in the notebook."""
        return self._with_panel(
            """(panel) => panel.content.model.sharedModel.cells
              .flatMap((cell) => cell.cell_type === "code" ? cell.toJSON().outputs : [])
              .filter((output) => output.output_type === "error")
              .map((output) => output.traceback.join("\\n"))
              .join("\\n")"""
        )

    def _select(self, index: int) -> None:
        self._with_panel(
            """async (panel, index) => {
              panel.content.activeCellIndex = index;
              await panel.content.scrollToItem(index);
            }""",
            index,
        )

    def _command(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        return self.page.evaluate(
            "([name, arguments]) => jupyterapp.commands.execute(name, arguments)",
            [name, arguments or {}],
        )

    def _with_panel(self, function: str, argument: Any = None) -> Any:
        return self.page.evaluate(
            f"([path, argument]) => ({function})(({PANEL})(path), argument)",
            [self.name, argument],
        )
