"""The only room that knows DuckDB: migrations, events, queries."""

from minedisc_core.store.in_view import Cluster, MapSite
from minedisc_core.store.loop_records import ChampionAction, ChampionEvent, RetrainingRow, Spot
from minedisc_core.store.order import QueueOrder
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
    "Cluster",
    "CorrectionAction",
    "CorrectionEvent",
    "Counters",
    "DatasetRow",
    "FilterChoices",
    "MapSite",
    "Order",
    "Progress",
    "QueueOrder",
    "QueueRow",
    "RetrainingRow",
    "RunRow",
    "ScoreBin",
    "Spot",
    "StatusChange",
    "Store",
    "TakeIn",
]
