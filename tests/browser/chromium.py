"""Finds the Chromium that the browser tests drive; run with ``--install``, gets it where it can."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
MAC_APPLICATIONS = (
    "Chromium.app/Contents/MacOS/Chromium",
    "Google Chrome.app/Contents/MacOS/Google Chrome",
)

# No display, no sandbox (CI runs as root), and none of the requests that Chromium makes by itself.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """Return the path of a Chromium or Chrome; the variable CHROMIUM goes before all others."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    applications = (Path("/Applications") / name for name in MAC_APPLICATIONS)
    found = [shutil.which(name) for name in NAMES]
    found += [str(path) for path in applications if path.exists()]
    return next((path for path in found if path), None)


def install_commands() -> list[list[str]]:
    """Return the commands that install a Chromium here; none where there is no known way."""
    sudo = [] if is_root() else ["sudo"]
    if platform.system() == "Darwin":
        return [["brew", "install", "--cask", "google-chrome"]]
    if shutil.which("apt-get"):
        package = "chromium" if is_debian() else "chromium-browser"
        install = ["apt-get", "install", "--yes", "--no-install-recommends", package]
        return [[*sudo, "apt-get", "update"], [*sudo, *install]]
    if shutil.which("dnf"):
        return [[*sudo, "dnf", "install", "--assumeyes", "chromium"]]
    if shutil.which("pacman"):
        return [[*sudo, "pacman", "--sync", "--noconfirm", "chromium"]]
    return []


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def is_debian() -> bool:
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text().splitlines()


def complaint() -> str:
    """Say that no Chromium was found, with the command that mends it."""
    if os.environ.get("CHROMIUM"):
        return f"CHROMIUM={os.environ['CHROMIUM']} names no program; unset it or mend the path"
    command = " && ".join(" ".join(words) for words in install_commands())
    cure = f"run `{command}`" if command else "install Chromium or Chrome"
    return (
        f"the browser tests found no Chromium: {cure}, or set CHROMIUM to the path of one "
        "(looked for: " + ", ".join(NAMES) + ")"
    )


def main() -> int:
    if find() is None and "--install" in sys.argv and is_root() and is_debian():
        for command in install_commands():
            print("+", *command, flush=True)
            subprocess.run(
                command, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            )
    path = find()
    if path is None:
        print(complaint(), file=sys.stderr)
        return 1
    print(f"browser tests use {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
