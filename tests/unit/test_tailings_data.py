import numpy as np
import pytest
import rasterio
from affine import Affine

from minedisc_core.bench.tailings import deal_places, fold_units, units_for_test
from minedisc_core.bench.tailings_data import JudgedScene, read_masked, read_mine_free
from minedisc_core.errors import UsageError
from minedisc_core.learning.mask_labels import MaskedScene


def write(path, array, lon=-44.0, lat=-20.0, crs="EPSG:4326", pixel=1e-4):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = array.shape
    place = Affine(pixel, 0, lon, 0, -pixel, lat)
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype=array.dtype, crs=crs, transform=place
    ) as dataset:
        dataset.write(array)


def write_frame(folder, name, lon, mask, bands=3):
    write(folder / f"{name}.tif", np.full((bands, *mask.shape), 900, np.uint16), lon)
    write(folder / f"{name}_mask.tif", mask[None].astype(np.uint8), lon)


@pytest.fixture
def frames(tmp_path):
    """Two frames that overlap by half, and one far away; only the first and the last have a structure."""
    folder = tmp_path / "imagery" / "tailings_rgb"
    marked, empty = np.zeros((448, 448), bool), np.zeros((448, 448), bool)
    marked[100:140, 300:340] = True
    write_frame(folder, "t1", -44.0, marked)
    write_frame(folder, "t2", -44.0 + 224e-4, empty)
    write_frame(folder, "t3", -50.0, marked)
    return folder


def test_a_mask_counts_in_every_frame_on_its_ground(frames, tmp_path):
    for folder in (frames, tmp_path, tmp_path / "imagery"):
        first, second, far = (judged.scene for judged in read_masked([folder])[0])
        assert (first.mask.sum(), second.mask.sum(), far.mask.sum()) == (1600, 1600, 1600)
        assert second.mask[100:140, 76:116].all()
        assert first.place == second.place != far.place


def test_masks_of_the_training_folder_count_in_the_judged_frames_too(frames, tmp_path):
    write_frame(tmp_path / "other", "t9", -44.0, np.zeros((448, 448), bool))
    _, (judged,) = read_masked([frames, tmp_path / "other"])
    assert judged.scene.mask.sum() == 1600


def test_a_frame_of_other_bands_is_refused_with_its_name(tmp_path):
    write_frame(tmp_path, "odd", -44.0, np.zeros((448, 448), bool), bands=2)
    with pytest.raises(UsageError, match=r"odd\.tif has 2 bands"):
        read_masked([tmp_path])


def test_a_frame_without_a_cell_is_refused(tmp_path):
    write_frame(tmp_path, "tiny", -44.0, np.zeros((180, 448), bool))
    with pytest.raises(UsageError, match="448 x 180 px"):
        read_masked([tmp_path])


def test_the_offset_is_removed_where_a_file_carries_it_and_only_there(tmp_path):
    dn = np.arange(13, dtype=np.int16)[:, None, None] * 100 + np.full((13, 224, 224), 1000, np.int16)
    dn[:, 0, 0], dn[:, 0, 1] = 0, 990
    for name in ("282D_485L_3_3", "38D_378R_2_3"):
        write(tmp_path / f"{name}.tif", dn, 700_000, 7_000_000, "EPSG:32722", 10)
    scenes = {found.scene.name: found.scene for found in read_mine_free([tmp_path])}
    assert scenes["282D_485L_3_3"].dn[5, 5].tolist() == [100, 200, 300]
    assert scenes["282D_485L_3_3"].dn[0, :2, 0].tolist() == [0, 1]
    assert scenes["38D_378R_2_3"].dn[5, 5].tolist() == [1100, 1200, 1300]


def test_bands_in_files_of_their_own_are_one_scene_and_others_are_passed_over(tmp_path):
    place = (700_000, 7_000_000, "EPSG:32722")
    for band in ("B02", "B03", "B04", "B8A"):
        dn = np.full((1, 250, 224), int(band[1], 16) * 100 + 7, np.uint16)
        write(tmp_path / f"s2_{band}.tif", dn, *place, 10)
        write(tmp_path / f"landsat_{band}.tif", dn, *place, 30)
    write(tmp_path / "preview.tif", np.zeros((3, 50, 50), np.uint8))
    write(tmp_path / "x_B02.tif", np.zeros((1, 50, 50), np.uint16), *place, 10)
    (found,) = read_mine_free([tmp_path])
    assert found.is_mine_free
    assert found.scene.dn.shape == (250, 224, 3)
    assert found.lon == pytest.approx(-49.0, abs=0.1)
    assert found.lat == pytest.approx(-27.1, abs=0.1)


def judged(name, lon, is_free=False, side=201):
    mask = None if is_free else np.zeros((side, side), bool)
    return JudgedScene(MaskedScene(name, "?", np.ones((side, side, 3), np.uint16), mask), lon, -20.0)


def test_folds_share_no_place_and_judge_every_scene_once():
    scenes = [judged(f"f{k}", -60 + 0.1 * k) for k in range(12)] + [judged(f"g{k}", -50 + k) for k in range(5)]
    free = [judged("free near", -59.9, is_free=True), judged("free far", 10, is_free=True, side=500)]
    units = fold_units(scenes, free, 3, 0)
    assert sorted(s.name for unit in units for s in unit.judged) == sorted(s.scene.name for s in [*scenes, *free])
    for unit in units:
        assert not {s.place for s in unit.training} & {s.place for s in unit.judged}
        assert {s.name for s in unit.training}.isdisjoint(s.name for s in unit.judged)


def test_a_test_is_judged_by_a_net_that_saw_neither_its_places_nor_the_mine_free_scenes_it_judges():
    frames = [judged("near the test", -44.05), judged("far", -50)]
    free = [judged("large", 10, is_free=True, side=600), judged("small", 20, is_free=True), judged("at", -44, True)]
    first, second = units_for_test(frames, [judged("test", -44)], free)
    assert [s.name for s in first.judged if s.mask is not None] == ["test"]
    assert [s.name for s in second.judged if s.mask is not None] == []
    names = [{s.name for s in unit.training} for unit in (first, second)]
    assert all("far" in found and "near the test" not in found and "at" not in found for found in names)
    assert sorted(s.name for unit in (first, second) for s in unit.judged) == ["at", "large", "small", "test"]
    for unit, found in zip((first, second), names, strict=True):
        assert found.isdisjoint(s.name for s in unit.judged)


def test_the_largest_scenes_without_a_mine_are_in_different_folds():
    free = [judged(f"s{k}", 10 * k, is_free=True, side=side).scene for k, side in enumerate((600, 201, 500))]
    dealt = deal_places([MaskedScene(s.name, s.name, s.dn, None) for s in free], 2, 0)
    assert {tuple(sorted(s.name for s in fold)) for fold in dealt} == {("s0",), ("s1", "s2")}
