"""Makes `.venv` with everything minedisc needs; run again with nothing changed, it returns at once.

Runs with plain Python before the install: `python3 minedisc_core/setup/install.py [--dev]`.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
SUPPORTED = ((3, 11), (3, 12), (3, 13))
"""Python versions on which the pinned set installs and runs."""
RUNTIME = ("requirements.txt", "pyproject.toml", "minedisc_core/setup/install.py", "minedisc_core/setup/vendor.py")
DEVELOPMENT = (*RUNTIME, "requirements-dev.txt")


def main(arguments: list[str] | None = None) -> int:
    """Install what is missing; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    parser.add_argument("--this-python", action="store_true", help="rebuild .venv if another Python made it")
    asked = parser.parse_args(arguments)
    wanted = sys.version_info[:2] if asked.this_python else None
    if is_current(asked.dev, wanted):
        return 0
    try:
        install(asked.dev, wanted)
    except (subprocess.CalledProcessError, OSError, SetupError) as error:
        print(f"minedisc set-up failed: {error}", file=sys.stderr)
        return 1
    return 0


class SetupError(Exception):
    """The machine lacks something that the set-up needs."""


def is_current(dev: bool, wanted: tuple[int, int] | None) -> bool:
    """Whether `.venv` already holds what the requirement files ask for."""
    version = venv_python_version()
    if version is None or (wanted and version != wanted) or not (VENV / "bin" / "minedisc").exists():
        return False
    stamp = stamp_file(dev)
    return stamp.is_file() and stamp.read_text() == digest(dev)


def install(dev: bool, wanted: tuple[int, int] | None) -> None:
    """Make the environment, install the packages and the project, compile, fetch the map's scripts."""
    ensure_venv(wanted)
    requirements = ROOT / ("requirements-dev.txt" if dev else "requirements.txt")
    print(f"minedisc: installing {requirements.name} into {VENV.name} (about 3 GB the first time) ...", flush=True)
    pip("install", "--no-compile", "-r", str(requirements))
    pip("install", "--no-compile", "--no-deps", "-e", str(ROOT))
    print("minedisc: compiling ...", flush=True)
    compile_bytecode()
    subprocess.run([str(venv_python()), "-m", "minedisc_core.setup.vendor"], cwd=ROOT, check=False)
    print("minedisc: comparing the scoring engine with TensorFlow ...", flush=True)
    subprocess.run([str(venv_python()), "-m", "minedisc_core.setup.engines"], cwd=ROOT, check=False)
    stamp_file(False).write_text(digest(False))
    if dev:
        stamp_file(True).write_text(digest(True))


def digest(dev: bool) -> str:
    """Fingerprint of all that decides what `.venv` must hold."""
    sha = hashlib.sha256(f"{ROOT} {venv_python_version()}".encode())
    for name in DEVELOPMENT if dev else RUNTIME:
        sha.update((ROOT / name).read_bytes())
    return sha.hexdigest()


def stamp_file(dev: bool) -> Path:
    """File that is written last by a set-up that succeeded."""
    return VENV / ("minedisc-dev.stamp" if dev else "minedisc.stamp")


def venv_python() -> Path:
    """The environment's interpreter."""
    return VENV / "bin" / "python"


def venv_python_version() -> tuple[int, int] | None:
    """Version of the Python that made `.venv`; None if there is none."""
    config = VENV / "pyvenv.cfg"
    if not config.is_file() or not venv_python().exists():
        return None
    for line in config.read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            major, minor = value.strip().split(".")[:2]
            return int(major), int(minor)
    return None


def ensure_venv(wanted: tuple[int, int] | None) -> None:
    """Make `.venv` unless a usable one is there.

    Raises:
        SetupError: no supported Python is on this machine, or it cannot make virtual environments.
    """
    version = venv_python_version()
    if version in SUPPORTED and wanted in (None, version) and has_pip():
        return
    python = find_python(wanted)
    print(f"minedisc: making {VENV.name} with {python} ...", flush=True)
    if subprocess.run([python, "-m", "venv", "--clear", str(VENV)], check=False).returncode:
        raise SetupError(f"{python} cannot make a virtual environment (on Debian: apt-get install python3-venv)")


def has_pip() -> bool:
    """Whether the environment is whole enough to install into."""
    return not subprocess.run([str(venv_python()), "-c", "import pip"], capture_output=True, check=False).returncode


def find_python(wanted: tuple[int, int] | None) -> str:
    """An interpreter of a supported version: this one, else the newest on PATH.

    Raises:
        SetupError: there is none.
    """
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    names = [f"python{major}.{minor}" for major, minor in reversed(SUPPORTED)]
    found = None if wanted else next(filter(None, map(shutil.which, names)), None)
    if found is None:
        here = ".".join(map(str, sys.version_info[:3]))
        raise SetupError(f"this is Python {here}. Expected: {', '.join(names)}. Try: make run PYTHON=python3.12")
    return found


def pip(*arguments: str) -> None:
    """Run the environment's pip with the user's own configuration (no index is named here)."""
    quiet = [] if sys.stdout.isatty() else ["-qq"]  # errors only where nobody watches
    command = [str(venv_python()), "-m", "pip", *arguments, *quiet, "--disable-pip-version-check"]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def compile_bytecode() -> None:
    """Compile all packages in parallel, so that first imports do not pay for it (20-50 s otherwise)."""
    libraries = [str(path) for path in VENV.glob("lib/python*/site-packages")]
    command = [str(venv_python()), "-m", "compileall", "-q", "-j", "0", *libraries, str(ROOT / "minedisc_core")]
    # Some packages ship templates that are no valid Python: their failure changes nothing.
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
