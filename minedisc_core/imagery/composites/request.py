"""What a composite is made of: area, dates, source, recipe and cut-offs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import RunError

RecipeName = Literal["paper", "paper-as-released", "cloud-score-plus", "scl"]
"""`scl` is the recipe of STAC catalogues (scene classification of L2A); the others are Earth Engine's."""


@dataclass(frozen=True)
class CompositeRequest:
    """Everything that decides the pixels of a composite; kept in the work folder, compared when resuming."""

    source: Literal["ee", "stac"]
    recipe: RecipeName
    aoi: Mapping[str, Any]
    """GeoJSON geometry in degrees (EPSG:4326)."""
    start: date
    """First day."""
    end: date
    """The day after the last one, as Earth Engine counts."""
    level: ProductLevel = ProductLevel.L1C
    bands: tuple[str, ...] = ()
    """Canonical names; empty: the twelve of the level."""
    most_cloud_percent: float = 20.0
    """Scenes with a higher stated cloud share are left out (the paper: < 20)."""
    clear_cutoff: float = 0.60
    """`cloud-score-plus`: least `cs_cdf` of a valid pixel, 0..1."""
    masked_classes: tuple[int, ...] = (0, 1, 3, 8, 9, 10, 11)
    """`scl`: classes of the scene classification that are no valid look."""
    crs: str = ""
    """EPSG code of the mosaic's UTM zone; empty: the zone of the middle of the area."""
    project: str = ""
    """Earth Engine: the cloud project that is billed."""
    catalogue: str = "earth-search"
    """STAC: a preset's name, or the address of an API."""
    collection: str = ""
    """STAC: the collection; empty: the preset's."""
    assets: Mapping[str, str] | None = None
    """STAC: asset key of each band and of `scl`; None: the preset's."""

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON object."""
        content: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=str))
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CompositeRequest:
        """The request that `to_json` wrote.

        Raises:
            RunError: the object is not a request.
        """
        try:
            found = {field.name: content[field.name] for field in dataclasses.fields(cls)}
            return cls(
                **{
                    **found,
                    "start": date.fromisoformat(found["start"]),
                    "end": date.fromisoformat(found["end"]),
                    "level": ProductLevel(found["level"]),
                    "bands": tuple(found["bands"]),
                    "masked_classes": tuple(int(number) for number in found["masked_classes"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"this is not a request for a composite ({error})", remedy="ask for it anew") from error


def default_dates(recipe: str) -> tuple[date | None, date | None]:
    """The paper's two years for its own recipe; none for the others."""
    return (date(2018, 1, 1), date(2020, 1, 1)) if recipe.startswith("paper") else (None, None)
