"""Values of model cards: read from JSON, and refused if they cannot be."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from minedisc_core.errors import ModelError

_MAX_BYTES = 1_000_000


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file.

    Raises:
        ModelError: missing, too large, not JSON, not an object.
    """
    try:
        if not path.is_file():
            raise broken_card(path, "is missing or no file")
        if path.stat().st_size > _MAX_BYTES:
            raise broken_card(path, f"is {path.stat().st_size:,} bytes large")
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise broken_card(path, f"cannot be read ({str(error)[:200]})") from error
    if not isinstance(content, dict):
        raise broken_card(path, f"holds a {type(content).__name__}")
    return content


def broken_card(path: Path, held: str, expected: str = "") -> ModelError:
    """What is said of a card that cannot be used."""
    wanted = expected or "a model card (JSON object) as `save_model` writes it"
    return ModelError(f"{path} {held}", wanted, "get the model again")


def text(value: object) -> str:
    """A short text of a card, or TypeError."""
    if not isinstance(value, str) or len(value) > 2_000:
        raise TypeError(f"{str(value)[:40]!r} is no (short) text")
    return value


def number(value: object) -> float:
    """A finite number of a card, or TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{str(value)[:40]!r} is no finite number")
    return float(value)


def listed(value: object) -> list[Any]:
    """A short list of a card, or TypeError."""
    if not isinstance(value, list) or len(value) > 1_000:
        raise TypeError(f"{str(value)[:40]!r} is no (short) list")
    return value
