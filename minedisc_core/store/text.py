"""Text from outside made safe to keep: no control characters, no lone surrogates, a limited length."""

from __future__ import annotations

import re

_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BLANKS = re.compile(r"[\t\r\n]+")


def one_line(text: str | None, limit: int | None = None) -> str:
    """`text` on one line, without characters that XML forbids or that reorder a line on the screen.

    Args:
        text: anything a file or a person gave; None is the empty text.
        limit: most characters kept; None keeps all.
    """
    if text and text.isprintable():  # nearly every text, and much faster to see than to clean
        return text.strip() if limit is None else text.strip()[:limit].rstrip()
    return several_lines(_BLANKS.sub(" ", text or ""), limit)


def several_lines(text: str | None, limit: int | None = None) -> str:
    """Like `one_line`, but line ends and tabs stay."""
    kept = _UNWANTED.sub("", text or "").strip()
    return kept if limit is None else kept[:limit].rstrip()
