"""Which code trained a net: the version, and a hash over the modules that decide what comes out."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import minedisc_core

_ROOMS = ("detection", "learning")


@cache
def code_version() -> str:
    """`<version>+<first 12 digits of the SHA-256 over the sources of detection and learning>`."""
    root = Path(minedisc_core.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (root / room).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{minedisc_core.__version__}+{digest.hexdigest()[:12]}"
