from __future__ import annotations

import csv
import io
import json
from collections import Counter
from functools import cache

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minedisc_core.errors import UsageError
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS, NATIVE_RESOLUTION_M
from minedisc_core.imagery.demo import Scene, generate_scene, plan_scene
from minedisc_core.imagery.demo.canvas import Blob, Canvas, Strokes
from minedisc_core.imagery.demo.noise import Window, rough, rough_at, smooth, smooth_at
from minedisc_core.imagery.demo.registers import SIGBM_COLUMNS, dms, sigbm_csv
from minedisc_core.imagery.demo.sensor import L1C_ORDER, L2A_ORDER
from minedisc_core.imagery.demo.spectra import BANDS, MATERIALS, mix, reflectance_table

SIDE = 517  # a multiple of neither 2 nor 6, and more than one painting tile
MINES = {"open_pit", "tailings", "waste", "quarry", "sand_pit", "clay_pit", "garimpo"}
LOOKALIKES = {
    "irrigation_dam", "lake", "sandbar", "town", "bare_rock", "erosion", "earthworks", "lagoons", "feedlot", "burn",
    "bare_field", "pivot", "airstrip", "solar", "clear_cut",
}  # fmt: skip


planned = cache(plan_scene)
GOLDEN = {
    (0, 0): ([1057, 838, 920, 647, 1186, 2857, 3552, 3757, 1250, 24, 1942, 1035],
             [216, 289, 663, 499, 1138, 2973, 3708, 3949, 4067, 3807, 2025, 1115]),
    (100, 400): ([1253, 1078, 1106, 1436, 1695, 1922, 2091, 2193, 828, 13, 2926, 2218],
                 [447, 562, 868, 1353, 1695, 1954, 2135, 2266, 2459, 2490, 3060, 2400]),
    (516, 516): ([1208, 960, 978, 889, 1432, 2270, 2626, 2735, 1074, 19, 2450, 1545],
                 [386, 418, 721, 758, 1405, 2332, 2710, 2848, 3120, 3132, 2559, 1668]),
    (333, 57): ([1070, 772, 613, 364, 648, 1519, 1856, 1786, 691, 8, 971, 421],
                [132, 148, 286, 173, 531, 1507, 1874, 1821, 2156, 2189, 1000, 447]),
}  # fmt: skip
"""Row, column: L1C and L2A of the scene of seed 3. The shipped models were trained on such scenes."""


@pytest.fixture(scope="module")
def scene() -> Scene:
    return generate_scene(SIDE, 3)


def test_the_same_seed_gives_the_same_pixels_and_truth(scene: Scene) -> None:
    again = generate_scene(SIDE, 3)
    assert np.array_equal(scene.l1c, again.l1c)
    assert np.array_equal(scene.l2a, again.l2a)
    assert [f.polygon.wkb for f in scene.features] == [f.polygon.wkb for f in again.features]


def test_pixels_are_the_same_on_every_python_up_to_one_dn(scene: Scene) -> None:
    for (row, col), expected in GOLDEN.items():
        for dn, values in zip((scene.l1c, scene.l2a), expected, strict=True):
            assert np.abs(dn[row, col].astype(int) - values).max() <= 1


def test_another_seed_gives_another_landscape(scene: Scene) -> None:
    other = generate_scene(SIDE, 4)
    assert np.mean(scene.l1c != other.l1c) > 0.9
    assert {f.polygon.wkb for f in scene.features}.isdisjoint(f.polygon.wkb for f in other.features)


def test_both_products_have_the_size_asked_for_and_no_pixel_without_data(scene: Scene) -> None:
    for dn in (scene.l1c, scene.l2a):
        assert dn.shape == (SIDE, SIDE, 12)
        assert dn.dtype == np.uint16
        assert dn.min() >= 1
        assert dn.max() <= 15_000


def test_the_bands_are_those_of_the_products() -> None:
    assert L1C_ORDER == L1C_BANDS
    assert L2A_ORDER == L2A_BANDS


@pytest.mark.parametrize("level", ["l1c", "l2a"])
def test_20_and_60_m_bands_are_constant_in_their_native_pixels_and_10_m_bands_are_not(scene: Scene, level: str) -> None:
    dn, bands = getattr(scene, level), L1C_BANDS if level == "l1c" else L2A_BANDS
    for index, band in enumerate(bands):
        block = NATIVE_RESOLUTION_M[band] // 10
        side = SIDE // 12 * 12
        values = dn[:side, :side, index]
        native = values[::block, ::block]
        assert np.array_equal(values, native.repeat(block, 0).repeat(block, 1)), band
        finer = values.reshape(side // (2 * block), 2 * block, side // (2 * block), 2 * block)
        assert (finer.max((1, 3)) > finer.min((1, 3))).mean() > 0.5, band


def test_both_products_show_the_same_ground(scene: Scene) -> None:
    for band in ("B2", "B4", "B8", "B12"):
        top, bottom = scene.l1c[..., L1C_BANDS.index(band)], scene.l2a[..., L2A_BANDS.index(band)]
        assert np.corrcoef(top.ravel(), bottom.ravel())[0, 1] > 0.97


def test_air_brightens_blue_and_the_cirrus_band_is_almost_black(scene: Scene) -> None:
    assert np.median(scene.l1c[..., 1]) > np.median(scene.l2a[..., 1]) + 300
    assert np.percentile(scene.l1c[..., L1C_BANDS.index("B10")], 99) < 60
    assert np.median(scene.l1c[..., L1C_BANDS.index("B9")]) < 0.6 * np.median(scene.l2a[..., L2A_BANDS.index("B9")])


def test_the_scene_lies_in_utm_zone_23_south_in_minas_gerais(scene: Scene) -> None:
    assert scene.grid.crs == "EPSG:32723"
    assert abs(scene.grid.transform.a) == 10
    west, south, east, north = scene.grid.footprint.bounds
    assert -51.1 < west < east < -39.8
    assert -23 < south < north < -14.2


@given(st.integers(1, 300), st.integers(0, 5))
@settings(max_examples=12, deadline=None)
def test_an_area_of_any_size_is_painted_whole_with_its_truth_inside(size: int, seed: int) -> None:
    small = generate_scene(size, seed)
    assert small.l1c.shape == small.l2a.shape == (size, size, 12)
    assert min(small.l1c.min(), small.l2a.min()) >= 1
    area = small.grid.footprint.buffer(1e-4)
    assert all(f.polygon.is_valid and area.covers(f.polygon) for f in small.features)
    assert all(bool(f.registered) == f.is_mine for f in small.features)


def test_an_area_of_one_window_holds_a_mine() -> None:
    assert all(any(f.is_mine for f in plan_scene(201, seed).features) for seed in range(4))


def test_truth_polygons_are_valid_and_lie_inside_the_scene(scene: Scene) -> None:
    area = scene.grid.footprint.buffer(1e-4)
    for feature in scene.features:
        assert feature.polygon.is_valid
        assert area.covers(feature.polygon), feature.kind
        assert feature.polygon.area > 0


def test_the_default_area_holds_every_kind_and_a_measurable_number_of_mines() -> None:
    kinds: Counter[str] = Counter()
    for seed in (0, 11):
        features = planned(2048, seed).features
        mines = {f.mine for f in features if f.is_mine}
        assert 8 <= len(mines) <= 16
        kinds.update(f.kind for f in features)
        sizes = [shapely.minimum_bounding_radius(f.polygon) * 2 * 107_000 for f in features if f.is_mine]
        assert min(sizes) < 300
        assert max(sizes) > 900
    assert set(kinds) == MINES | LOOKALIKES


def test_kind_decides_whether_it_is_a_mine_and_of_what_impact() -> None:
    for feature in planned(2048, 11).features:
        assert feature.is_mine == (feature.kind in MINES)
        low = {"quarry", "sand_pit", "clay_pit", "garimpo"}
        expected = "low" if feature.kind in low else "high" if feature.is_mine else "none"
        assert feature.impact == expected
        assert bool(feature.mine) == bool(feature.name) == bool(feature.registered) == feature.is_mine


@pytest.mark.parametrize("size", [512, 700, 2048])
def test_some_mines_are_registered_some_lack_the_right_to_extract_and_some_are_nowhere(size: int) -> None:
    states = {f.registered for f in planned(size, 0).features if f.is_mine}
    assert states == {"registered", "title_without_extraction_right", "nothing_found"}


def test_lookalikes_keep_clear_of_mines() -> None:
    features = planned(2048, 11).features
    mines = shapely.union_all([f.polygon for f in features if f.is_mine])
    rivers_run_anywhere = {"sandbar"}
    touching = [f.kind for f in features if not f.is_mine and f.polygon.intersects(mines)]
    assert set(touching) <= rivers_run_anywhere


@pytest.mark.parametrize(("size", "seed"), [(0, 0), (-5, 0), (20_001, 0), (600, -1)])
def test_a_size_or_seed_out_of_range_is_refused(size: int, seed: int) -> None:
    with pytest.raises(UsageError):
        plan_scene(size, seed)


def test_noise_at_places_equals_noise_of_pixels() -> None:
    window = Window(-7, 30, 40, 50)
    x, y = np.meshgrid(np.arange(50) + 30.5, np.arange(40) - 6.5)
    assert np.allclose(smooth(window, 13.0, 5), smooth_at(x, y, 13.0, 5), atol=1e-5)
    assert np.allclose(rough(window, 20.0, 5, 3), rough_at(x, y, 20.0, 5, 3), atol=1e-5)


def test_noise_does_not_depend_on_the_window_it_is_asked_for() -> None:
    whole = smooth(Window(0, 0, 80, 80), 11.0, 9)
    assert np.array_equal(whole[33:60, 21:70], smooth(Window(33, 21, 27, 49), 11.0, 9))


def test_noise_has_mean_0_and_deviation_1() -> None:
    values = rough(Window(0, 0, 700, 700), 12.0, 3)
    assert abs(values.mean()) < 0.1
    assert 0.85 < values.std() < 1.15


def test_paint_covers_by_alpha_and_shares_still_sum_to_one() -> None:
    canvas = Canvas(Window(0, 0, 6, 8))
    whole = np.ones((6, 8), np.float32)
    canvas.paint(canvas.window, whole, mix(canopy=1))
    canvas.paint(Window(2, 3, 2, 2), np.full((2, 2), 0.25, np.float32), mix(sand=1))
    sand = canvas.mix[MATERIALS.index("sand")]
    assert np.allclose(sand[2:4, 3:5], 0.25)
    assert sand.sum() == pytest.approx(1.0)
    assert np.allclose(canvas.mix.sum(0), 1)


def test_a_blobs_outline_is_where_it_is_painted() -> None:
    blob = Blob(60, 50, 30, 18, 0.5, 77, 0.2, cuts=((1.0, 0.0, 12.0),))
    window = Window(0, 0, 110, 120)
    alpha = blob.alpha(window, blob.radius(window))
    rows, cols = np.nonzero(alpha > 0.5)
    inside = shapely.contains_xy(blob.outline.buffer(1.5), cols + 0.5, rows + 0.5)
    assert inside.mean() > 0.9
    assert cols.max() + 0.5 <= 60 + 12.6
    assert alpha.sum() == pytest.approx(blob.outline.area, rel=0.15)


def test_a_stroke_is_as_wide_as_it_says() -> None:
    stroke = Strokes((((10.0, 20.0), (90.0, 20.0)),), 4.0)
    alpha = stroke.alpha(Window(0, 0, 40, 100))
    assert alpha[:, 50].sum() == pytest.approx(4.0, abs=0.1)
    assert alpha[:, 2].sum() == 0


def test_spectra_keep_the_marks_of_their_minerals() -> None:
    table = dict(zip(MATERIALS, reflectance_table().T, strict=True))
    b = BANDS.index
    assert table["hematite"][b("B8A")] < table["hematite"][b("B6")]  # iron absorption at 0.86 um
    assert table["kaolin"][b("B12")] < 0.8 * table["kaolin"][b("B11")]  # hydroxyl at 2.2 um
    assert table["limestone"][b("B12")] < 0.8 * table["limestone"][b("B11")]  # carbonate at 2.33 um
    assert table["canopy"][b("B8")] > 8 * table["canopy"][b("B4")]
    assert all(table[name][b("B11")] < 0.03 for name in MATERIALS if name.endswith("_water"))


def test_degrees_are_written_as_the_dam_register_writes_them() -> None:
    assert dms(-(10 + 7 / 60 + 16.39 / 3600)) == "-10°07'16.390''"
    assert dms(-20 - 59 / 60 - 59.9996 / 3600) == "-21°00'00.000''"


def test_the_dam_register_has_the_real_columns_encoding_and_separator() -> None:
    raw = sigbm_csv(planned(2048, 0).features, planned(2048, 0).grid, 0)
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(raw.decode("cp1252")), delimiter=";"))
    assert tuple(rows[0]) == SIGBM_COLUMNS
    assert "Município" in rows[0]
    assert rows[0]["Latitude"].startswith("-2")
    assert "''" in rows[0]["Longitude"]
    assert not any("CPF" in column for column in rows[0])


def test_truth_properties_are_plain_json() -> None:
    from minedisc_core.imagery.demo.files import _truth

    rows = json.loads(_truth(plan_scene(600, 2).features))["features"]
    assert {"kind", "is_mine", "impact", "mine", "registered"} <= set(rows[0]["properties"])
