"""Signed addresses: the Planetary Computer gives anyone a token for a collection that lasts under an hour."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from datetime import UTC, datetime

from minedisc_core.errors import ImageryError
from minedisc_core.imagery.stac.catalogues import Catalogue

_TIMEOUT_S = 30.0
_EARLY_S = 300.0
"""A token is renewed this long before it ends, so that none ends during a read."""
_TRIES = 3


class Signer:
    """Adds the token of a collection to addresses; asks for a new one when it is about to end. Thread-safe."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._url = catalogue.token_url.format(collection=catalogue.collection)
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def sign(self, href: str) -> str:
        """The address that may be read now; unchanged where files are open or already signed.

        Raises:
            ImageryError: no token was given.
        """
        if not self._url or "?" in href:
            return href
        with self._lock:
            if time.time() > self._until - _EARLY_S:
                self._token, self._until = self._ask()
            return f"{href}?{self._token}"

    def _ask(self) -> tuple[str, float]:
        for attempt in range(_TRIES):
            try:
                with urllib.request.urlopen(self._url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - a preset's address
                    told = json.load(answer)
                return str(told["token"]), _moment(str(told["msft:expiry"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                # The answer may hold the token: only the kind of the error is told.
                reason, cause = type(error).__name__, error
                time.sleep(0.5 * 2**attempt)
        raise ImageryError(
            f"{self._url} gave no token to read files with ({reason})", "", "try again later, or use earth-search"
        ) from cause


def _moment(text: str) -> float:
    until = datetime.fromisoformat(text)
    return (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp()
