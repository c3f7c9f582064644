import pytest

from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, L2A_BANDS, NATIVE_RESOLUTION_M, canonical_band


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("B2", "B2"), ("B02", "B2"), ("b8a", "B8A"), ("B08", "B8"), ("Band 8A", "B8A"), ("band_11", "B11"),
        ("blue", "B2"), ("Red Edge 1", "B5"), ("rededge3", "B7"), ("nir", "B8"), ("nir08", "B8A"), ("nir09", "B9"),
        ("swir16", "B11"), ("SWIR 2", "B12"), ("coastal", "B1"), ("Coastal aerosol", "B1"), ("cirrus", "B10"),
        ("B02_10m", "B2"), ("B8A_20m", "B8A"), ("B2_median", "B2"), ("blue_mean", "B2"), (" B4 ", "B4"),
        ("B4, central wavelength 665 nm", "B4"), ("B02 - Blue", "B2"), ("B12 (SWIR 2)", "B12"),
    ],
)  # fmt: skip
def test_a_band_is_known_by_its_code_its_colour_or_its_catalogue_name(text, band):
    assert canonical_band(text) == band


@pytest.mark.parametrize(
    "text",
    ["", "QA60", "SCL", "B13", "B0", "B4A", "SR_B2", "B2_stdDev", "B2_count", "cs_cdf", "bluegreen", "8", "B2B3"],
)
def test_a_name_that_means_no_sentinel_2_band_is_left_alone(text):
    assert canonical_band(text) is None


def test_each_band_name_means_itself_and_products_hold_twelve_of_the_thirteen():
    assert [canonical_band(name) for name in ALL_BANDS] == list(ALL_BANDS)
    assert set(ALL_BANDS) - set(L1C_BANDS) == {"B8A"}
    assert set(ALL_BANDS) - set(L2A_BANDS) == {"B10"}
    assert set(NATIVE_RESOLUTION_M) == set(ALL_BANDS)
