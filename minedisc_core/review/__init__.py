"""Queue order, verdicts, undo."""

from minedisc_core.review.tally import ClassTally, LandTally, Tally, is_unregistered, summary
from minedisc_core.review.verdicts import ANALYST_LENGTH, NOBODY, NOTES_LENGTH, naive_utc, new_verdict

__all__ = [
    "ANALYST_LENGTH",
    "NOBODY",
    "NOTES_LENGTH",
    "ClassTally",
    "LandTally",
    "Tally",
    "is_unregistered",
    "naive_utc",
    "new_verdict",
    "summary",
]
