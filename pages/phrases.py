"""The catalogue, and finished English sentences of the core recognised by its templates.

The core writes whole sentences (errors, what registers say, steps of a scan) for the command line too, so it knows no
language. The catalogue has them as templates with numbered places, `{0} cannot be read: {1}`; a sentence that fits one
becomes the Portuguese template with the same values, and a value that is a sentence of the core is translated as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

PLACE = re.compile(r"\{(\w+)\}")
"""A place for a value in a text."""
_PARTS = re.compile(r"(?P<found>.*?)(?: Expected: (?P<expected>.*?))?(?: What to do: (?P<remedy>.*))?", re.DOTALL)
_QUANTITY = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?= (?:m|km|km2|km²|ha|MB|bytes)$| ?%$)|\d{1,3}(?:,\d{3})+$"
)
"""A number with its unit, or one with thousands; of others nobody knows whether they are numbers or names."""
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?= \d\d:\d\d$|:|$)")
_WITH_BRACKETS = re.compile(r"(?P<what>.+?) \((?P<more>.+)\)")
_OF_A_FILE = re.compile(r"(?P<file>\S*[/.]\S*) (?P<what>.+)", re.DOTALL)
_SWAPPED = str.maketrans(",.", ".,")
_LETTERS_LEAST = 4
"""Letters that a template needs of its own: `{0} is {1}` would take any sentence apart."""
LONGEST = 2000


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """English to Portuguese: `app` holds what the pages say, `core` what the core says."""
    found: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "catalogue.json").read_text("utf-8"))
    return found


def comma_for_point(number: str) -> str:
    """`1.234,5` for `1,234.5`."""
    return number.translate(_SWAPPED)


@lru_cache(maxsize=4096)
def portuguese(sentence: str) -> str:
    """A sentence of the core in Portuguese; as it is where the catalogue does not know it."""
    if len(sentence) > LONGEST:
        return sentence
    return _error(sentence) or _known(sentence) or _stopped(sentence) or _several(sentence) or sentence


def _known(text: str) -> str | None:
    """The Portuguese of a text that the core says; None of any other, a name of a file for example."""
    core = catalogue()["core"]
    if text in core:
        return core[text]
    for parts, names, template in _templates():
        values = _values(text, parts)
        if values is not None:
            return template.format(**dict(zip(names, map(_value, values), strict=True)))
    return None


def _values(text: str, parts: Sequence[str]) -> list[str] | None:
    """What stands between the parts of a template, each value as short as can be; None if the text does not fit.

    Not a regular expression: one with six places takes minutes over a text made to fit it nearly.
    """
    first, *middle, last = parts
    if not (text.startswith(first) and text.endswith(last)):
        return None
    values, place, end = [], len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return None
        values.append(text[place:found])
        place = found + len(part)
    return [*values, text[place:end]] if place <= end else None


@cache
def _templates() -> list[tuple[list[str], list[str], str]]:
    """Their parts, the names of the values between, and the Portuguese; those with most letters of their own first."""
    core = {english: PLACE.sub("", english) for english in catalogue()["core"] if PLACE.search(english)}
    chosen = [english for english, own in core.items() if sum(map(str.isalpha, own)) >= _LETTERS_LEAST]
    chosen.sort(key=lambda english: -len(core[english]))
    return [
        (
            PLACE.split(english)[::2],
            [f"v{name}" for name in PLACE.findall(english)],
            PLACE.sub(r"{v\1}", catalogue()["core"][english]),
        )
        for english in chosen
    ]


def _value(value: str) -> str:
    """A value within a sentence: a quantity, a date, another sentence, a list; a name stays what it is."""
    if _QUANTITY.match(value):
        return _QUANTITY.sub(lambda found: comma_for_point(found[0]), value)
    if _DATE.match(value):
        return _DATE.sub(r"\3/\2/\1", value)
    return _known(value) or _bracketed(value) or _several(value) or value


def _bracketed(value: str) -> str | None:
    parts = _WITH_BRACKETS.fullmatch(value)
    told = parts and _known(parts["what"])
    return f"{told} ({_value(parts['more'])})" if parts and told else None


def _stopped(sentence: str) -> str | None:
    """Of a sentence with a full stop that the core's own texts do not have, and of one that begins with a file."""
    text = sentence.removesuffix(".")
    parts = _OF_A_FILE.fullmatch(text)
    rest = parts and _known(parts["what"])
    told = _known(text) or (f"{parts['file']} {rest}" if parts and rest else None)
    return told and told + sentence[len(text) :]


def _error(sentence: str) -> str | None:
    """An error as one text (`MinediscError.__str__`)."""
    parts = _PARTS.fullmatch(sentence)
    if parts is None or not (parts["expected"] or parts["remedy"]):
        return None
    labels = {"found": "", "expected": "Esperado: ", "remedy": "O que fazer: "}
    return " ".join(f"{label}{portuguese(parts[name])}" for name, label in labels.items() if parts[name])


def _several(sentence: str) -> str | None:
    """Sentences with semicolons between them."""
    parts = sentence.split("; ")
    told = [portuguese(part) for part in parts] if len(parts) > 1 else parts
    return "; ".join(told) if told != parts else None
