"""Expiring signatures for the pictures and queues that the app serves beside its pages.

A token is `<expiry>.<signature>`; it opens one scope (`tiles:<run_id>`, `chips:<run_id>`, `review`)
until its expiry. The secret lives as long as the process. Expiries are rounded up to whole
half-days, so that an address stays the same while a page is redrawn and the browser's cache holds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

LIFETIME_S = 12 * 3600
"""A token is good for 12 to 24 hours."""


class Signer:
    """Makes and checks tokens with a secret of its own."""

    def __init__(self, secret: bytes | None = None, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._clock = clock

    def token(self, scope: str) -> str:
        """A token that opens `scope`."""
        expiry_s = (int(self._clock()) // LIFETIME_S + 2) * LIFETIME_S
        return f"{expiry_s}.{self._signature(scope, expiry_s)}"

    def opens(self, token: str, scope: str) -> bool:
        """Whether `token` was made here for `scope` and has not expired."""
        expiry, dot, signature = token.partition(".")
        if not dot or not (expiry.isascii() and expiry.isdecimal()) or len(expiry) > 12:
            return False
        right = self._signature(scope, int(expiry))
        return hmac.compare_digest(signature.encode(), right.encode()) and int(expiry) > self._clock()

    def _signature(self, scope: str, expiry_s: int) -> str:
        digest = hmac.new(self._secret, f"{scope}|{expiry_s}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:18]).decode()
