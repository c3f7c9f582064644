"""The only room that knows DuckDB: migrations, events, queries."""

from minedisc_core.store.loop_records import ChampionAction, ChampionEvent, RetrainingRow, Spot
from minedisc_core.store.records import (
    AnalystProgress,
    CandidateFilter,
    CorrectionAction,
    CorrectionEvent,
    Counters,
    DatasetRow,
    FilterChoices,
    Order,
    Progress,
    QueueRow,
    RunRow,
    ScoreBin,
    StatusChange,
    TakeIn,
)
from minedisc_core.store.store import Store
from minedisc_core.store.verdicts import CARRIED_PREFIX

__all__ = [
    "CARRIED_PREFIX",
    "AnalystProgress",
    "CandidateFilter",
    "ChampionAction",
    "ChampionEvent",
    "CorrectionAction",
    "CorrectionEvent",
    "Counters",
    "DatasetRow",
    "FilterChoices",
    "Order",
    "Progress",
    "QueueRow",
    "RetrainingRow",
    "RunRow",
    "ScoreBin",
    "Spot",
    "StatusChange",
    "Store",
    "TakeIn",
]
