"""Queue order, verdicts, undo, and who is looking at what."""

from minedisc_core.review.footprints import checked_footprint, footprint_from, footprint_from_geojson
from minedisc_core.review.leases import Leases
from minedisc_core.review.priority import PriorityTerm, priority, priority_terms
from minedisc_core.review.tally import ClassTally, LandTally, Tally, is_unregistered, summary
from minedisc_core.review.verdicts import ANALYST_LENGTH, NOBODY, NOTES_LENGTH, naive_utc, new_verdict

__all__ = [
    "ANALYST_LENGTH",
    "NOBODY",
    "NOTES_LENGTH",
    "ClassTally",
    "LandTally",
    "Leases",
    "PriorityTerm",
    "Tally",
    "checked_footprint",
    "footprint_from",
    "footprint_from_geojson",
    "is_unregistered",
    "naive_utc",
    "new_verdict",
    "priority",
    "priority_terms",
    "summary",
]
