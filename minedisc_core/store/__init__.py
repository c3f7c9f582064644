"""The only room that knows DuckDB: migrations, events, queries."""

from minedisc_core.store.records import (
    CandidateFilter,
    Counters,
    DatasetRow,
    Order,
    QueueRow,
    RunRow,
    StatusChange,
    TakeIn,
)
from minedisc_core.store.store import Store
from minedisc_core.store.verdicts import CARRIED_PREFIX

__all__ = [
    "CARRIED_PREFIX",
    "CandidateFilter",
    "Counters",
    "DatasetRow",
    "Order",
    "QueueRow",
    "RunRow",
    "StatusChange",
    "Store",
    "TakeIn",
]
