"""Every error a person may see: what was found, what was expected, what to do."""

from __future__ import annotations


class MinediscError(Exception):
    """Base of all errors that are shown to a person.

    Args:
        found: what was met, with the file, line or value it was met in.
        expected: what would have been right; may be empty where `found` says it all.
        remedy: what the reader can do now; may be empty.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "") -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"Expected: {self.expected}")
        if self.remedy:
            parts.append(f"What to do: {self.remedy}")
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)


class UsageError(MinediscError):
    """The call itself is wrong: an unknown name, a missing choice, a bad number (exit code 2)."""


class ImageryError(MinediscError):
    """A mosaic or a source file cannot be used: bands, level, pixel size, CRS, extent."""


class ModelError(MinediscError):
    """A model folder, card or weights file cannot be used, or does not fit the mosaic."""


class RegisterError(MinediscError):
    """A register file cannot be read or holds nothing usable."""


class StoreError(MinediscError):
    """The database cannot be opened, written or understood."""


class EventRefused(StoreError):
    """A verdict or undo that no retry will make right: its candidate, its id or what it undoes is wrong."""


class StoreOwned(StoreError):
    """Another process owns the database file: send it the verb instead (see `owner`)."""


class RunError(MinediscError):
    """A run folder is missing, half written, or belongs to another request."""


class Cancelled(MinediscError):
    """The user asked the job to stop."""
