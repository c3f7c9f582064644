"""A home whose verdicts can be learned from: small mosaics at places 40 km apart, a run on each, a champion by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from affine import Affine

from minedisc_core import service
from minedisc_core.domain import Reason, Status
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.review import new_verdict
from minedisc_core.runs import REQUEST, write_json, write_sites, write_summary
from minedisc_core.settings import Settings
from minedisc_core.store import Store
from tests.pages.fabricated import GRID, make_mosaic, make_run, make_sites, save_bright_model, summary

MINES, REJECTED = 4, 4
"""Verdicts at each place."""
SITES = MINES + REJECTED + 2


def make_loop_home(settings: Settings, places: int = 4, *, pictures: bool = False) -> None:
    """Mosaics, runs that are taken in, verdicts, and a model `bright` that is no demonstration model."""
    for number in range(places):
        corner = GRID.transform
        moved = Affine(corner.a, 0, corner.c, 0, corner.e, corner.f + 40_000 * number)
        mosaic = make_mosaic(settings.mosaics / f"place-{number}.tif", grid=replace(GRID, transform=moved))
        run_id = f"20260101-0000{number:02d}-aaaa"
        folder = make_run(settings.runs, mosaic, run_id, count=SITES) if pictures else settings.runs / run_id
        with open_mosaic([mosaic]) as opened:
            sites = make_sites(run_id, SITES, opened.grid)
            write_json(folder / REQUEST, {"run_id": run_id, "mosaic_identity": opened.identity})
        write_sites(folder, sites)
        write_summary(folder, summary(run_id, mosaic, sites))
    save_bright_model(settings.models / "bright", settings.mosaics / "place-0.tif")
    with Store.open(settings.database) as store:
        for folder in sorted(settings.runs.iterdir()):
            service.take_in(store, settings, str(folder))
            decide(store, folder.name)


def decide(store: Store, run_id: str) -> None:
    """Confirm the first candidates of a run and reject the next."""
    ids = sorted(c.candidate_id for c in store.candidates() if c.run_id == run_id)
    store.record([new_verdict(name, Status.CONFIRMED, "Ana") for name in ids[:MINES]])
    why = {"reason": Reason.IRRIGATION_DAM}
    store.record([new_verdict(name, Status.REJECTED, "Ana", **why) for name in ids[MINES : MINES + REJECTED]])


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The home's database."""
    with Store.open(settings.database) as store:
        yield store


def begin(settings: Settings, **more: object) -> Path:
    """Begin a retraining of `bright`; its folder."""
    chosen: dict[str, object] = {"champion": "bright", "epochs": 3, "without_own_dataset": True}
    return Path(service.run_verb(settings, "retrain_begin", chosen | more)["folder"])
