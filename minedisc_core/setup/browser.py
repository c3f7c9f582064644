"""Finds a Chromium for the browser tests, or installs one: Debian's package where allowed, else Playwright's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core")
"""Debian packages; without any font, screenshots show boxes."""
BROWSER_VARIABLE = "MINEDISC_CHROMIUM"
"""Names the program to use instead of the first one found."""


def find_chromium() -> str | None:
    """Path of a Chromium that starts; None if there is none (Playwright's own download included)."""
    named = os.environ.get(BROWSER_VARIABLE)
    for candidate in [named] if named else [*map(shutil.which, PROGRAMS), playwright_chromium()]:
        if candidate and starts(candidate):
            return candidate
    return None


def starts(program: str) -> bool:
    """Whether the program answers `--version` (a snap's placeholder does not)."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def playwright_chromium() -> str | None:
    """The browser that `playwright install chromium` has downloaded; None if it has not."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def install_chromium() -> None:
    """Install with apt-get where root's rights are at hand, else let Playwright download its own."""
    root = root_prefix()
    if shutil.which("apt-get") and root is not None:
        apt = [*root, "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            run(apt + step, environment)
    if find_chromium() is None:
        run([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))


def root_prefix() -> list[str] | None:
    """What to write before a command so that it runs as root without a question; None if that is not possible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
        return ["sudo", "-n"]
    return None


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run one step; a failure is seen by what is missing afterwards."""
    subprocess.run(command, env=environment, check=False, stdin=subprocess.DEVNULL)


def main() -> int:
    """Make sure that a Chromium is there; with CI=true its absence is a failure."""
    if find_chromium() is None:
        print("minedisc: installing a Chromium for the browser tests ...", flush=True)
        install_chromium()
    if find_chromium():
        return 0
    print("minedisc: no Chromium could be installed, so the browser tests cannot run.", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
