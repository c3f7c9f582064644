"""What could not be read, in words, and when to stop trying."""

from __future__ import annotations

import re
import threading
from collections import Counter

from minedisc_core.errors import MinediscError

MOST_FAILURES = 2
"""A file that failed so often is not tried again by this source: a stalled server costs a time-out each time."""
_TIMED_OUT = re.compile(r"timed? ?out|too slow|operation too|timeout", re.IGNORECASE)
_STATUS = re.compile(r"HTTP (?:response code|error code)\s*:\s*(\d{3})", re.IGNORECASE)
_NOBODY = re.compile(r"failed to connect|could not connect|resolve host|connection (?:refused|reset)", re.IGNORECASE)
_OF_S3 = {
    re.compile(r"specified key does not exist", re.IGNORECASE): "the file is missing in its bucket",
    re.compile(r"bucket does not exist", re.IGNORECASE): "there is no such bucket at this endpoint",
    re.compile(r"access denied|AccessKeyId|Signature|AWS_SECRET_ACCESS_KEY|credentials", re.IGNORECASE): (
        "the server does not give it to these credentials"
    ),
}
"""What S3 answers, or GDAL of itself, which may hold the name of a key."""


class Faults:
    """Counts the failures of each file; used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._words: dict[str, str] = {}

    def given_up(self, address: str) -> str | None:
        """Why the file is not tried any more; None if it still is."""
        with self._lock:
            return self._words[address] if self._failures[address] >= MOST_FAILURES else None

    def note(self, address: str, error: BaseException, timeout_s: float) -> str:
        """Count a failure; what it was, in words."""
        words = in_words(error, timeout_s)
        with self._lock:
            self._failures[address] += 1
            self._words[address] = words
        return words


def in_words(error: BaseException, timeout_s: float) -> str:
    """What went wrong with a file; addresses, which may hold a token, are left out."""
    if isinstance(error, MinediscError):
        return error.found
    text = " ".join(_chain(error))
    status = _STATUS.search(text)
    if status:
        known = {
            "404": "the file is missing",
            "403": "the server does not give it",
            "409": "the server does not give it",
        }
        return f"{known.get(status[1], 'the server failed')} (HTTP {status[1]})"
    if _TIMED_OUT.search(text):
        return f"the server did not answer within {timeout_s:g} s"
    if _NOBODY.search(text):
        return "no server answers at this address"
    for sign, words in _OF_S3.items():
        if sign.search(text):
            return words
    return f"the file is damaged or cut off ({_clean(text)})"


def _chain(error: BaseException | None) -> list[str]:
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return texts


def _clean(text: str) -> str:
    without = re.sub(r"'?(?:(?:/vsicurl/)?https?://|/vsi\w+/)\S+", "the file", text)
    return re.sub(r"\s+", " ", without).strip()[:160]
