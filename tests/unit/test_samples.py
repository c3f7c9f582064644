from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import ProductLevel, Reason, Status
from minedisc_core.errors import StoreError
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.learning import samples
from minedisc_core.learning.datasets import open_dataset
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from minedisc_core.store import Store

RUN = "20260101-000000-aaaa"
BANDS = ("B2", "B3", "B4")
SIDE = 300
PEAKS = ((154, 140), (100, 100), (199, 280))
"""Row and column of each site's peak; round the first 255 px lie inside, round the others not."""


@pytest.fixture
def pixels() -> np.ndarray:
    """Every pixel has a value of its own place and band."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    return np.stack([(rows * SIDE + cols) % 9000 + 1 + band for band in range(3)], axis=-1).astype(np.uint16)


@pytest.fixture
def mosaic(pixels: np.ndarray, write_raster: Callable[..., Path]) -> Path:
    return write_raster(pixels, "mosaic.tif", BANDS)


@pytest.fixture
def store(mosaic: Path, tmp_path: Path) -> Iterator[Store]:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with open_mosaic([mosaic]) as opened:
        (run_dir / "request.json").write_text(json.dumps({"mosaic_identity": opened.identity, "dn_offset": None}))
    sites = [
        dataclasses.replace(site, peak_row_px=row, peak_col_px=col)
        for site, (row, col) in zip(made_up_sites(3, run_id=RUN), PEAKS, strict=True)
    ]
    summary = dataclasses.replace(made_up_summary(3, RUN), mosaic=(str(mosaic),))
    with Store.in_memory() as store:
        store.take_in(summary, run_dir, sites, made_up_matches(3))
        yield store


def confirm(store: Store, place: int, **more: object) -> str:
    name = sorted(store.candidate_ids())[place]
    store.record([new_verdict(name, Status.CONFIRMED, "ana", **more)])  # type: ignore[arg-type]  # any argument by name
    return name


def cut(settings: Settings, store: Store, place: int = 0) -> tuple[np.ndarray, dict]:
    row = samples.queue(store)[place]
    with np.load(samples.sample_path(settings, row.sample_id), allow_pickle=False) as packed:
        return packed["pixels"], json.loads(str(packed["facts"]))


def test_a_sample_is_255_px_of_all_bands_around_the_peak(store: Store, settings: Settings, pixels: np.ndarray) -> None:
    confirm(store, 0)
    assert samples.cut_pending(store, settings) == 1
    found, facts = cut(settings, store)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels[154 - 127 : 154 + 128, 140 - 127 : 140 + 128])
    assert facts["bands"] == list(BANDS)
    assert (facts["label"], facts["reason"], facts["imagery_start"]) == ("mine", None, "2025-01-01")


def test_past_the_edge_of_the_mosaic_a_sample_is_no_data(store: Store, settings: Settings, pixels: np.ndarray) -> None:
    confirm(store, 2)
    samples.cut_pending(store, settings)
    found, _ = cut(settings, store)
    assert found.shape == (255, 255, 3)
    np.testing.assert_array_equal(found[:228, :147], pixels[72:, 153:])
    assert not found[228:].any()
    assert not found[:, 147:].any()


def test_a_moved_sample_is_centred_on_the_point(
    store: Store, settings: Settings, mosaic: Path, pixels: np.ndarray
) -> None:
    with open_mosaic([mosaic]) as opened:
        ((lon, lat),) = opened.grid.lonlat(np.array([150.5]), np.array([160.5])).tolist()
    confirm(store, 0, moved=(lon, lat))
    samples.cut_pending(store, settings)
    found, facts = cut(settings, store)
    np.testing.assert_array_equal(found[127, 127], pixels[150, 160])
    assert facts["is_moved"]


def test_a_sample_of_a_drawn_mine_is_centred_inside_and_keeps_the_outline(
    store: Store, settings: Settings, mosaic: Path, pixels: np.ndarray
) -> None:
    with open_mosaic([mosaic]) as opened:
        ((lon, lat),) = opened.grid.lonlat(np.array([150.5]), np.array([160.5])).tolist()
    outline = shapely.box(lon - 1e-3, lat - 1e-3, lon + 1e-3, lat + 1e-3)
    confirm(store, 0, footprint=outline)
    samples.cut_pending(store, settings)
    found, facts = cut(settings, store)
    np.testing.assert_array_equal(found[127, 127], pixels[150, 160])
    assert shape(facts["footprint"]) == outline


def test_a_point_outside_the_mosaic_stays_queued_with_the_reason(store: Store, settings: Settings) -> None:
    confirm(store, 0, moved=(0.0, 0.0))
    assert samples.cut_pending(store, settings) == 0
    (row,) = samples.queue(store)
    assert row.pixels == "failed"
    assert "outside the mosaic" in row.problem


def test_a_mosaic_that_is_gone_loses_nothing_and_is_tried_again(store: Store, settings: Settings, mosaic: Path) -> None:
    confirm(store, 0)
    away = mosaic.rename(mosaic.with_name("away.tif"))
    assert samples.cut_pending(store, settings) == 0
    (row,) = samples.queue(store)
    assert row.pixels == "failed"
    assert str(mosaic) in row.problem
    away.rename(mosaic)
    assert samples.cut_pending(store, settings) == 1
    assert samples.queue(store)[0].problem == ""


def test_a_mosaic_that_changed_is_not_cut(
    store: Store, settings: Settings, pixels: np.ndarray, write_raster: Callable[..., Path]
) -> None:
    confirm(store, 0)
    write_raster(pixels[::-1], "mosaic.tif", BANDS, origin=(0, 0))
    assert samples.cut_pending(store, settings) == 0
    assert "has changed since run" in samples.queue(store)[0].problem


def test_a_broken_request_is_a_reason_not_a_crash(store: Store, settings: Settings, tmp_path: Path) -> None:
    confirm(store, 0)
    for content in ("{", '{"level": "L9Z"}', '{"imagery_start": 5}', "[]"):
        (tmp_path / "run" / "request.json").write_text(content)
        assert samples.cut_pending(store, settings) == 0
        assert samples.queue(store)[0].pixels == "failed"


def test_pixels_are_cut_once_and_again_if_the_file_is_lost(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    assert [samples.cut_pending(store, settings) for _ in range(2)] == [1, 0]
    samples.sample_path(settings, samples.queue(store)[0].sample_id).unlink()
    assert samples.cut_pending(store, settings) == 1


def test_an_event_id_cannot_lead_out_of_the_samples_folder(store: Store, settings: Settings) -> None:
    confirm(store, 0, event_id="../../outside")
    samples.cut_pending(store, settings)
    assert [path.parent for path in settings.home.rglob("*.npz")] == [settings.samples]


def test_the_queue_is_counted_by_label_and_reason(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    names = sorted(store.candidate_ids())
    for name, reason in ((names[1], Reason.BURN), (names[2], Reason.RIVER_BANK)):
        store.record([new_verdict(name, Status.REJECTED, "ana", reason=reason)])
    counts = samples.queue_counts(store)
    assert (counts.total, counts.mine, counts.background, counts.pending) == (3, 1, 2, 3)
    assert counts.by_reason == {"burn": 1, "river_bank": 1}
    store.undo("ana", "u1")
    assert samples.queue_counts(store).background == 1


def test_a_dataset_version_holds_the_queue_with_a_hash_each(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    confirm(store, 1)
    samples.cut_pending(store, settings)
    folder = samples.make_dataset(store, settings)
    manifest = samples.check_dataset(folder)
    assert folder == samples.datasets_folder(settings) / "v0001"
    assert (manifest["version"], manifest["window_px"], manifest["by_label"]) == ("v0001", 255, {"mine": 2})
    assert {entry["facts"]["candidate_id"] for entry in manifest["samples"]} == set(sorted(store.candidate_ids())[:2])
    assert {row.datasets for row in samples.queue(store)} == {("v0001",)}


def test_an_undone_verdict_stays_in_the_old_version_marked_and_the_next_leaves_it_out(
    store: Store, settings: Settings
) -> None:
    kept, undone = confirm(store, 0), confirm(store, 1)
    samples.cut_pending(store, settings)
    first = samples.make_dataset(store, settings)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    store.undo("ana", "u1")
    assert [row.candidate_id for row in samples.queue(store)] == [kept]
    marked = [row for row in samples.queue(store, include_withdrawn=True) if row.withdrawn]
    assert [(row.candidate_id, row.datasets) for row in marked] == [(undone, ("v0001",))]
    second = samples.make_dataset(store, settings)
    assert [entry["facts"]["candidate_id"] for entry in samples.check_dataset(second)["samples"]] == [kept]
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before
    assert [(row.version, row.samples, row.withdrawn) for row in store.datasets()] == [("v0002", 1, 0), ("v0001", 2, 1)]


def test_a_version_does_not_follow_what_happens_to_the_queue(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    samples.cut_pending(store, settings)
    folder = samples.make_dataset(store, settings)
    path = samples.sample_path(settings, samples.queue(store)[0].sample_id)
    path.write_bytes(b"spoilt")
    samples.check_dataset(folder)
    with pytest.raises(StoreError, match="No sample is ready"):
        samples.make_dataset(store, settings)
    assert samples.cut_pending(store, settings) == 1


def test_without_samples_there_is_no_version(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    with pytest.raises(StoreError, match="No sample is ready"):
        samples.make_dataset(store, settings)
    assert not samples.datasets_folder(settings).exists()


def test_a_changed_or_missing_file_of_a_version_is_noticed(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    samples.cut_pending(store, settings)
    folder = samples.make_dataset(store, settings)
    (member,) = folder.glob("*.npz")
    member.chmod(0o644)
    member.write_bytes(b"other")
    with pytest.raises(StoreError, match="was changed"):
        samples.check_dataset(folder)
    member.unlink()
    with pytest.raises(StoreError, match="not a whole dataset"):
        samples.check_dataset(folder)


def test_the_same_queue_gives_a_version_with_the_same_hash_and_places(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    confirm(store, 1)
    samples.cut_pending(store, settings)
    first, second = (open_dataset(samples.make_dataset(store, settings)) for _ in range(2))
    assert (first.version, second.version) == ("v0001", "v0002")
    assert first.hash == second.hash
    assert (first.bands, first.window_px) == (BANDS, 255)
    assert all(entry.place and entry.source == RUN for entry in first.samples)
    store.undo("ana", "u1")
    assert open_dataset(samples.make_dataset(store, settings)).hash != first.hash


def test_samples_of_two_products_are_not_mixed_unless_one_is_chosen(store: Store, settings: Settings) -> None:
    confirm(store, 0)
    confirm(store, 1)
    samples.cut_pending(store, settings)
    row = samples.queue(store)[1]
    path = samples.sample_path(settings, row.sample_id)
    with np.load(path) as packed:
        facts = {**json.loads(str(packed["facts"])), "level": "L2A"}
        np.savez_compressed(path, pixels=packed["pixels"], facts=np.array(json.dumps(facts)))
    store.note_pixels(row.sample_id, "cut", "", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(StoreError, match=r"samples of L2A, unknown|samples of L1C, L2A"):
        samples.make_dataset(store, settings)
    made = open_dataset(samples.make_dataset(store, settings, ProductLevel.L2A))
    assert [(made.level, entry.sample_id) for entry in made.samples] == [(ProductLevel.L2A, row.sample_id)]
