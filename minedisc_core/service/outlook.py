"""What the Retrain page shows before anything is started: the champion, who would be held out, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from minedisc_core.detection.models import Model
from minedisc_core.domain import ProductLevel
from minedisc_core.errors import MinediscError
from minedisc_core.jobs.retraining_request import lacking_to_promote
from minedisc_core.learning.loop_dataset import Outlook, outlook, own_dataset
from minedisc_core.service.learning import champion_model, levels_of_verdicts
from minedisc_core.settings import Settings
from minedisc_core.store import Store


@dataclass(frozen=True)
class Prospect:
    """A retraining that could be started."""

    champion: Model
    outlook: Outlook
    own: str
    """Its dataset: a version, `generated`, or empty."""
    missing_to_start: tuple[str, ...]
    missing_to_promote: tuple[str, ...]


def levels_to_retrain(store: Store) -> list[ProductLevel]:
    """Products of the scans with verdicts."""
    return sorted(levels_of_verdicts(store))


def prospect(store: Store, settings: Settings, level: ProductLevel) -> Prospect:
    """What a retraining of the champion of a level would have now. Reads no pixels.

    Raises:
        ModelError: there is no model of this level.
    """
    model = champion_model(store, settings, level)
    try:
        own, problem = own_dataset(model.discovery, settings), ""
    except MinediscError as error:
        own, problem = None, str(error)
    found = outlook(store, model.discovery, own)
    named = own.version if own else "generated" if model.discovery.is_demonstration and not problem else ""
    lacking = [problem] if problem else []
    if not found.learned:
        lacking.append("no verdict outside the held-out places: confirm or reject candidates there")
    return Prospect(model, found, named, tuple(lacking), tuple(lacking_to_promote(found.held_mines, found.held_places)))
