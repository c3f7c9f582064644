"""Errors of one item among many."""

from __future__ import annotations

from types import TracebackType

from minedisc_core.errors import MinediscError


class Noted:
    """Turns an error of one item among many into a note, so that the others go on."""

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds or (MinediscError,)
        self.error: Exception | None = None
        """What went wrong; None if nothing did."""

    @property
    def problem(self) -> str:
        """The error as text; empty if there is none."""
        return str(self.error) or type(self.error).__name__ if self.error else ""

    def __enter__(self) -> Noted:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, self._kinds):
            return False
        self.error = error
        return True
