"""Sentinel-2 bands: their names, their order in each product, their native pixel size.

Source: ESA, Sentinel-2 MSI User Guide, "Spatial resolution"; band lists of the products as in the
paper (L1C without B8A) and in Level-2A (which has no B10).
"""

from __future__ import annotations

import re

L1C_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12")
"""The paper's twelve bands, top of atmosphere: B10 in, B8A out."""
L2A_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
"""The twelve bands of surface reflectance. Also twelve, not the same twelve."""
ALL_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""The instrument's thirteen bands in the order in which products list them."""

NATIVE_RESOLUTION_M: dict[str, int] = {
    **dict.fromkeys(("B2", "B3", "B4", "B8"), 10),
    **dict.fromkeys(("B5", "B6", "B7", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B1", "B9", "B10"), 60),
}
"""Pixel size in metres at which a band is measured."""

_COMMON_NAMES = {
    "coastal": "B1", "coastalaerosol": "B1", "aerosol": "B1", "aerosols": "B1", "ultrablue": "B1",
    "blue": "B2", "green": "B3", "red": "B4",
    "rededge": "B5", "rededge1": "B5", "vegetationrededge1": "B5",
    "rededge2": "B6", "vegetationrededge2": "B6",
    "rededge3": "B7", "vegetationrededge3": "B7",
    "nir": "B8", "nearinfrared": "B8", "nirbroad": "B8", "broadnir": "B8",
    "nir08": "B8A", "narrownir": "B8A", "nirnarrow": "B8A", "rededge4": "B8A", "vegetationrededge4": "B8A",
    "nir09": "B9", "watervapour": "B9", "watervapor": "B9",
    "cirrus": "B10", "swircirrus": "B10",
    "swir1": "B11", "swir16": "B11",
    "swir2": "B12", "swir22": "B12",
}  # fmt: skip
"""Names of STAC catalogues (common_name and asset keys), of Earth Engine's descriptions and of everyday use."""

_CODE = re.compile(r"(?:band|b)[ _-]?0?(\d{1,2})(a?)")
_TRIMMINGS = re.compile(r"(?:_(?:10|20|60)m|_(?:median|mean|mosaic|first|medoid))+$")


def canonical_band(text: str) -> str | None:
    """The band (`B1` .. `B12`, `B8A`) that a name or description means; None if it means none.

    `B2`, `B02`, `b08a`, `Band 8A`, `blue`, `Red Edge 1`, `nir08`, `B02_10m`, `B2_median` and
    `B4, central wavelength 665 nm` are understood; `B2_stdDev`, `QA60`, `SCL`, `SR_B2` mean no band.
    """
    head = re.split(r"[,;:(]|\s-\s", text.strip().lower(), maxsplit=1)[0].strip()
    head = _TRIMMINGS.sub("", head)
    code = _CODE.fullmatch(head)
    if code:
        name = f"B{int(code[1])}{code[2].upper()}"
        return name if name in NATIVE_RESOLUTION_M else None
    return _COMMON_NAMES.get(re.sub(r"[\s_-]", "", head))
