from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError, StoreError, UsageError
from minedisc_core.grid import geodesic_distance_m
from minedisc_core.imagery.geotiff import Mosaic, open_mosaic
from minedisc_core.learning.datasets import Dataset, open_dataset, read_windows
from minedisc_core.learning.register_samples import People, PointCorrection, SampleRequest, make_register_dataset
from minedisc_core.learning.windows import LeftOut, SamplePoint
from minedisc_core.settings import Settings

BANDS = ("B2", "B3", "B4")
SIDE = 900
WriteRaster = Callable[..., Path]


def ground(side: int = SIDE) -> np.ndarray:
    """Every pixel has a value of its own place and band."""
    rows, cols = np.mgrid[:side, :side]
    return np.stack([(rows * 31 + cols * 7 + band) % 9000 + 1 for band in range(3)], axis=-1).astype(np.uint16)


@pytest.fixture
def mosaic(write_raster: WriteRaster) -> Iterator[Mosaic]:
    with open_mosaic([write_raster(ground(), "m.tif", BANDS)], level=ProductLevel.L1C) as opened:
        yield opened


def at(mosaic: Mosaic, row: float, col: float) -> tuple[float, float]:
    lon, lat = mosaic.grid.lonlat(np.array([row + 0.5]), np.array([col + 0.5]))[0]
    return float(lon), float(lat)


def register(path: Path, mosaic: Mosaic, rows: list[tuple[float, float, str]]) -> Path:
    lines = [f"{lat};{lon};{word}" for row, col, word in rows for lon, lat in [at(mosaic, row, col)]]
    path.write_text("latitude of point;longitude of point;class\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def make(tmp_path: Path, mosaic: Mosaic, settings: Settings) -> Callable[..., tuple[Dataset, list[LeftOut]]]:
    def run(rows: list, name: str = "v1", people: People = People(), imagery: list | None = None, **more: object):  # type: ignore[no-untyped-def]  # noqa: B008 - frozen
        path = register(tmp_path / f"{name}.csv", mosaic, rows)
        request = replace(SampleRequest(path, 21, backgrounds=0), **more)  # type: ignore[arg-type]  # any argument by name
        return make_register_dataset(request, tmp_path / name, imagery or [mosaic], settings, people=people)

    return run


Make = Callable[..., tuple[Dataset, list[LeftOut]]]


def test_a_window_is_centred_on_the_pixel_of_its_point(make: Make) -> None:
    made, left_out = make([(300, 400, "iron"), (500, 200, "Areia")])
    by_label = {entry.label: read_windows(made, chosen=[n])[0] for n, entry in enumerate(made.samples)}
    np.testing.assert_array_equal(by_label["high"], ground()[290:311, 390:411])
    np.testing.assert_array_equal(by_label["low"], ground()[490:511, 190:211])
    assert left_out == []
    assert (made.bands, made.level) == (BANDS, ProductLevel.L1C)


def test_what_gives_no_sample_is_listed_with_its_line_and_reason(make: Make, tmp_path: Path) -> None:
    rows = [(300, 400, "iron"), (300, 400, "iron"), (500, 500, "sand"), (500, 500, "iron"), (300, 2000, "iron"),
            (4, 400, "iron"), (600, 600, "Granito"), (700, 700, "Ouro")]  # fmt: skip
    made, left_out = make(rows)
    assert len(made.samples) == 1
    assert {each.line: each.reason for each in left_out} == {
        3: "duplicates line 2 of v1.csv",
        4: "is given as high and as low at the same place",
        5: "is given as high and as low at the same place",
        6: "lies off every mosaic",
        7: "its window of 21 px leaves the mosaic by 6 px",
        8: "its label 'Granito' means no class that is known",
        9: "its label 'Ouro' is no class: gold cannot be told from sand or gravel at 10 m",
    }
    manifest = json.loads((tmp_path / "v1" / "manifest.json").read_text())
    assert [row["line"] for row in manifest["left_out"]] == [each.line for each in left_out]
    assert str(tmp_path) not in json.dumps(manifest)


def test_points_over_no_data_are_listed(make: Make, write_raster: WriteRaster) -> None:
    pixels = ground()
    pixels[300, 400] = 0
    pixels[500:, 500:509] = 0
    with open_mosaic([write_raster(pixels, "holes.tif", BANDS)], level=ProductLevel.L1C) as holes:
        made, left_out = make([(300, 400, "iron"), (512, 512, "iron"), (200, 200, "iron")], imagery=[holes])
    assert len(made.samples) == 1
    assert [each.reason for each in left_out] == ["lies over no data", "33% of its window is no data"]


def test_of_several_mosaics_the_first_that_holds_the_whole_window_wins(make: Make, write_raster: WriteRaster) -> None:
    small = ground(200) + 9000
    with (
        open_mosaic([write_raster(small, "small.tif", BANDS)], level=ProductLevel.L1C) as first,
        open_mosaic([write_raster(ground(), "large.tif", BANDS)], level=ProductLevel.L1C) as second,
    ):
        made, _ = make([(100, 100, "iron"), (195, 100, "sand")], imagery=[first, second])
    values = {entry.label: int(read_windows(made, chosen=[n]).min()) for n, entry in enumerate(made.samples)}
    assert values["high"] > 9000 >= values["low"]


def test_mosaics_of_two_products_or_of_none_are_refused(make: Make, write_raster: WriteRaster) -> None:
    path = write_raster(ground(), "again.tif", BANDS)
    rows = [(300, 400, "iron")]
    with open_mosaic([path], level=ProductLevel.L2A) as other, open_mosaic([path], level=ProductLevel.L1C) as one:
        with pytest.raises(ImageryError, match="different products"):
            make(rows, imagery=[one, other])
        with open_mosaic([path]) as unknown, pytest.raises(ImageryError, match="L1C or L2A"):
            make(rows, imagery=[unknown])


def test_backgrounds_are_as_many_as_mines_and_never_near_a_known_mine(
    make: Make, mosaic: Mosaic, tmp_path: Path
) -> None:
    rows = [(200, 200, "dam"), (200, 260, "dam"), (15, 15, "dam"), (880, 880, "barragem desconhecida")]
    further = register(tmp_path / "known.csv", mosaic, [(800, 100, "mine")])
    made, _ = make(rows, window_px=201, backgrounds=None, known=(further,), apart_m=1500)
    counts = Counter(entry.label for entry in made.samples)
    assert counts == {"mine": 2, "background": 3}  # the mine at the edge gives no window, yet counts
    mines = [at(mosaic, row, col) for row, col, _ in [*rows, (800, 100, "")]]
    for entry in made.samples:
        if entry.label == "background":
            assert entry.reason == "random"
            assert min(geodesic_distance_m(entry.lon, entry.lat, *mine) for mine in mines) >= 1500


def test_too_little_room_for_backgrounds_is_told(make: Make) -> None:
    made, left_out = make([(450, 450, "dam")], window_px=201, backgrounds=4, apart_m=9_000)
    assert [entry.label for entry in made.samples] == ["mine"]
    assert left_out[-1].reason == "only 0 of 4 found a place clear of known mines"


def test_look_alikes_come_from_land_cover_and_from_rejected_verdicts(
    make: Make, mosaic: Mosaic, write_raster: WriteRaster
) -> None:
    classes = np.full((SIDE, SIDE, 1), 10, np.uint8)
    classes[:450] = 80
    cover = write_raster(classes, "cover.tif")
    rejected = SamplePoint(*at(mosaic, 700, 600), "background", "river_bank", "run-1")
    made, _ = make(
        [(200, 200, "dam")], window_px=201, backgrounds=6, people=People(rejected=[rejected]), apart_m=1000,
        land_cover=cover, land_cover_classes=(80,),
    )  # fmt: skip
    backgrounds = [entry for entry in made.samples if entry.label == "background"]
    assert Counter(entry.reason for entry in backgrounds) == {"river_bank": 1, "look-alike": 2, "random": 3}
    assert {mosaic.grid.pixel(e.lon, e.lat)[0] < 450 for e in backgrounds if e.reason == "look-alike"} == {True}


def test_land_cover_that_lies_elsewhere_or_lacks_the_class_is_refused(make: Make, write_raster: WriteRaster) -> None:
    cover = write_raster(np.full((50, 50, 1), 10, np.uint8), "cover.tif", origin=(100_000, 7_000_000))
    for classes in ((10,), (80,)):
        with pytest.raises(ImageryError, match="no pixel of class"):
            make([(200, 200, "dam")], window_px=201, backgrounds=4, land_cover=cover, land_cover_classes=classes)
    with pytest.raises(UsageError, match="both a raster and its classes"):
        make([(200, 200, "dam")], land_cover=cover)


def test_corrections_move_points_and_leave_out_what_is_no_mine(make: Make, mosaic: Mosaic) -> None:
    lon, lat = at(mosaic, 350, 450)
    people = People(
        {
            2: PointCorrection("moved", lon, lat, "ana"),
            3: PointCorrection("not_a_mine", None, None, "ana"),
            4: PointCorrection("skipped", None, None, "rui"),
        }
    )
    made, left_out = make([(300, 400, "iron"), (500, 500, "iron"), (600, 600, "iron")], people=people)
    (entry,) = made.samples
    np.testing.assert_array_equal(read_windows(made)[0], ground()[340:361, 440:461])
    assert entry.facts["moved_by"] == "ana"
    assert entry.facts["moved_from"] == pytest.approx(at(mosaic, 300, 400))
    assert [each.reason for each in left_out] == ["ana marked it as not a mine", "rui skipped it"]


def test_the_same_inputs_give_the_same_hash_and_another_seed_another(make: Make) -> None:
    rows = [(200, 200, "dam"), (700, 700, "dam")]
    one, same, other = (
        make(rows, name, window_px=201, backgrounds=3, apart_m=1000, seed=seed)[0]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    reversed_ = make(rows[::-1], "d", window_px=201, backgrounds=3, apart_m=1000)[0]
    assert one.hash == same.hash == reversed_.hash != other.hash
    assert open_dataset(one.folder).hash == one.hash


def test_splits_keep_places_whole(make: Make) -> None:
    rows = [(100, 100, "iron"), (100, 130, "sand"), (800, 800, "iron"), (800, 830, "sand")]
    made, _ = make(rows, validation_fraction=0.5)
    assert Counter(entry.split for entry in made.samples) == {"training": 2, "validation": 2}
    assert len({(entry.place, entry.split) for entry in made.samples}) == 2
    with pytest.raises(UsageError, match="cannot be split"):
        make(rows[:2], "v2", validation_fraction=0.5)


def test_choices_that_cannot_be_are_refused_and_nothing_is_written(
    make: Make, mosaic: Mosaic, tmp_path: Path, settings: Settings
) -> None:
    rows = [(300, 400, "iron")]
    for wrong in ({"window_px": 64}, {"look_alike_share": 2.0}, {"validation_fraction": 1.0}, {"apart_m": -1.0}):
        with pytest.raises(UsageError):
            make(rows, **wrong)
    with pytest.raises(ImageryError, match=r"no point gives a sample.*means no class"):
        make([(300, 400, "Granito")])
    (tmp_path / "plain.csv").write_text("Nome,lat,lon\nA,-20,-44\n")
    with pytest.raises(UsageError, match="a class for each point"):
        make_register_dataset(SampleRequest(tmp_path / "plain.csv", 21), tmp_path / "v1", [mosaic], settings)
    assert not (tmp_path / "v1").exists()
    make(rows)
    with pytest.raises(StoreError, match="is there already"):
        make(rows)


def test_a_mosaic_that_breaks_while_it_is_cut_leaves_no_version(make: Make, mosaic: Mosaic, tmp_path: Path) -> None:
    path = Path(mosaic.paths[0])
    with rasterio.open(path) as opened:
        assert opened.count == 3
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(ImageryError):
        make([(850, 850, "iron")])
    assert not (tmp_path / "v1").exists()
