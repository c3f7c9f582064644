"""What a run could not see is drawn on the review map and named in its legend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from minedisc_core.imagery.score_picture import NOT_SEEN_ALONE
from minedisc_core.runs import SCORES
from minedisc_core.settings import Settings
from pages import maps, region, shared, words
from tests.pages.conftest import Opener


@pytest.fixture
def taken_in(home: Settings) -> Settings:
    """The run, whose scores lack six cells, is in the database."""
    shared.house().take_in_finished()
    return home


def shown_overlays(run_id: str) -> dict[str, bool]:
    """Names of the picture layers of a run's map, and whether they are on at first."""
    made = maps.base(region.mosaics_of(run_id))
    return {child.layer_name: child.show for child in made._children.values() if child._name == "ImageOverlay"}


def see_everything(run_folder: Path) -> None:
    with rasterio.open(run_folder / SCORES, "r+") as raster:
        raster.write(np.zeros(raster.shape, np.float32), 1)


def legend(open_page: Opener) -> str:
    app = open_page("review.py")
    assert not app.exception
    assert not app.error
    return "".join(part.proto.body for part in app.get("html"))


def test_what_was_not_seen_is_a_layer_that_is_on_beside_the_scores(taken_in: Settings, run_folder: Path) -> None:
    assert shown_overlays(run_folder.name) == {"Scores": False, words.not_seen(): True}


def test_where_everything_was_seen_there_is_no_such_layer(taken_in: Settings, run_folder: Path) -> None:
    see_everything(run_folder)
    assert shown_overlays(run_folder.name) == {"Scores": False}


def test_a_run_without_map_tiles_shows_what_it_did_not_see(taken_in: Settings, run_folder: Path) -> None:
    for kind in ("true_colour", "swir"):
        (run_folder / f"{kind}.tif").unlink()
    assert shown_overlays(run_folder.name)[words.not_seen()] is True


def test_the_legend_names_what_was_not_seen(home: Settings, open_page: Opener) -> None:
    assert words.not_seen() in legend(open_page)


def test_the_legend_is_silent_where_everything_was_seen(home: Settings, run_folder: Path, open_page: Opener) -> None:
    see_everything(run_folder)
    said = legend(open_page)
    assert "Mining title" in said
    assert words.not_seen() not in said


def test_the_legend_has_the_colour_of_the_layer() -> None:
    *colour, alpha = NOT_SEEN_ALONE
    assert f"rgba({', '.join(map(str, colour))}, {alpha / 255:.2f})" == words.NOT_SEEN_COLOUR
