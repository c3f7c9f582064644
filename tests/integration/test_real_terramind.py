"""Small real files of both product levels: no band names, signed integers, some with the offset of 04.00."""

import numpy as np
import pytest

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.bands import ALL_BANDS, L2A_BANDS
from minedisc_core.imagery.chips import CHIP_KINDS, available_chip_kinds
from minedisc_core.imagery.display import TileReader, write_display
from minedisc_core.imagery.geotiff import open_mosaic
from minedisc_core.imagery.pictures import measure_stretch

pytestmark = pytest.mark.trial

WITH_OFFSET = ("282D", "433D", "609U")
WHOLE = PixelWindow(0, 0, 224, 224)


def files(trial_data, level):
    found = sorted((trial_data / "imagery" / f"terramind_{level}").glob("*.tif"))
    assert len(found) == 5
    return found


def test_files_that_name_no_bands_are_refused_until_the_order_is_given(trial_data):
    for path in files(trial_data, "l1c"):
        with pytest.raises(ImageryError, match=r"none of the 13 bands"):
            open_mosaic([path])
        with open_mosaic([path], bands=ALL_BANDS) as mosaic:
            assert mosaic.level is ProductLevel.L1C
            assert mosaic.read(WHOLE, mosaic.bands).all()
    for path in files(trial_data, "l2a"):
        with open_mosaic([path], bands=L2A_BANDS) as mosaic:
            assert mosaic.level is None
        with open_mosaic([path], bands=L2A_BANDS, level=ProductLevel.L2A) as mosaic:
            assert mosaic.read(WHOLE, mosaic.bands).all()


def test_taking_off_the_offset_brings_the_cirrus_band_to_its_usual_few_dn_and_loses_no_pixel(trial_data):
    for path in files(trial_data, "l1c"):
        if not path.name.startswith(WITH_OFFSET):
            continue
        with (
            open_mosaic([path], bands=ALL_BANDS) as as_stored,
            open_mosaic([path], bands=ALL_BANDS, dn_offset=1000) as mosaic,
        ):
            before, after = as_stored.read(WHOLE, ALL_BANDS), mosaic.read(WHOLE, ALL_BANDS)
        assert np.array_equal(after, before - 1000)
        assert after.all()
        assert np.median(after[..., ALL_BANDS.index("B10")]) < 100


def test_an_offset_is_never_taken_off_unasked(trial_data):
    for path in files(trial_data, "l1c"):
        with open_mosaic([path], bands=ALL_BANDS) as mosaic:
            cirrus = np.median(mosaic.read(WHOLE, ("B10",)))
        assert (cirrus > 1000) == path.name.startswith(WITH_OFFSET)


def test_a_file_of_224_px_becomes_a_pyramid_and_chips_of_all_kinds(trial_data, tmp_path):
    with open_mosaic(files(trial_data, "l2a")[:1], bands=L2A_BANDS) as mosaic:
        assert available_chip_kinds(mosaic.bands) == CHIP_KINDS
        reader = TileReader(write_display(mosaic, tmp_path / "swir.tif", "swir", measure_stretch(mosaic)))
    west, south, east, north = reader.bounds
    assert east - west == pytest.approx(0.022, abs=0.01)
    assert south < north
