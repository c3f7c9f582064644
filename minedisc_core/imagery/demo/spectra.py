"""Surface reflectance of the demo area's materials in the Sentinel-2 bands.

Values are band means of typical laboratory and image spectra, rounded to 0.005 above 0.05 and set by
hand from published sources; no file of them is copied:

* vegetation, dry grass, soils, sands, roofs, asphalt: ECOSTRESS/ASTER spectral library (Baldridge et
  al. 2009, Meerdink et al. 2019), Oxisols of Brazil after Demattê et al. 2019 (Brazilian Soil Spectral
  Library);
* hematite, goethite, kaolinite, gibbsite, gypsum, calcite: USGS Spectral Library 7 (Kokaly et al.
  2017): the 0.86 um iron absorption that lowers B8/B8A of hematite, the 2.2 um hydroxyl absorption of
  clays and the 2.33 um carbonate absorption that lower B12;
* waters by load of sediment and algae: Dekker 1993, Kutser et al. 2016; iron tailings and their water:
  Rudorff et al. 2018 (Doce river, Minas Gerais).

The atmosphere is a per-band path reflectance and two-way transmittance (6S-like, sun at 40 degrees,
800 m above the sea; Vermote et al. 1997): enough to tell L1C from L2A, with B10 almost black and B9
in the water-vapour band.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

BANDS: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""All bands of the instrument, in the order of the tables here."""

_SURFACE_BANDS: Final = tuple(b for b in BANDS if b != "B10")

_TABLE: Final[Mapping[str, tuple[float, ...]]] = {
    #                B1    B2    B3    B4    B5    B6    B7    B8    B8A   B9    B11   B12
    "canopy":       (0.014, 0.018, 0.036, 0.019, 0.062, 0.200, 0.255, 0.275, 0.295, 0.290, 0.120, 0.050),
    "grass":        (0.030, 0.040, 0.078, 0.058, 0.125, 0.260, 0.305, 0.325, 0.345, 0.335, 0.225, 0.115),
    "crop":         (0.022, 0.028, 0.068, 0.030, 0.105, 0.340, 0.430, 0.450, 0.470, 0.455, 0.190, 0.080),
    "straw":        (0.065, 0.080, 0.115, 0.155, 0.195, 0.225, 0.245, 0.265, 0.285, 0.290, 0.355, 0.255),
    "red_soil":     (0.034, 0.044, 0.072, 0.140, 0.170, 0.190, 0.205, 0.225, 0.235, 0.240, 0.300, 0.260),
    "brown_soil":   (0.055, 0.065, 0.090, 0.125, 0.145, 0.165, 0.180, 0.200, 0.215, 0.220, 0.285, 0.250),
    "shade":        (0.006, 0.006, 0.008, 0.008, 0.012, 0.020, 0.024, 0.025, 0.026, 0.026, 0.014, 0.008),
    "char":         (0.028, 0.032, 0.038, 0.046, 0.054, 0.064, 0.074, 0.086, 0.098, 0.105, 0.155, 0.140),
    "quartzite":    (0.110, 0.125, 0.155, 0.180, 0.195, 0.205, 0.215, 0.225, 0.232, 0.235, 0.290, 0.255),
    "canga":        (0.040, 0.046, 0.062, 0.100, 0.118, 0.128, 0.130, 0.130, 0.134, 0.138, 0.215, 0.200),
    "orange_soil":  (0.060, 0.075, 0.130, 0.230, 0.262, 0.285, 0.302, 0.325, 0.340, 0.345, 0.435, 0.385),
    "sand":        (0.120, 0.144, 0.196, 0.240, 0.260, 0.272, 0.284, 0.296, 0.304, 0.308, 0.368, 0.336),
    "hematite":     (0.038, 0.041, 0.052, 0.084, 0.098, 0.102, 0.099, 0.093, 0.092, 0.096, 0.165, 0.155),
    "goethite":     (0.052, 0.064, 0.108, 0.180, 0.200, 0.205, 0.198, 0.190, 0.194, 0.205, 0.350, 0.300),
    "manganese":    (0.036, 0.038, 0.043, 0.050, 0.054, 0.058, 0.061, 0.064, 0.067, 0.068, 0.095, 0.090),
    "limestone":   (0.200, 0.222, 0.255, 0.281, 0.292, 0.297, 0.302, 0.307, 0.311, 0.311, 0.315, 0.233),
    "granite":     (0.133, 0.144, 0.171, 0.190, 0.199, 0.204, 0.208, 0.213, 0.217, 0.218, 0.239, 0.220),
    "kaolin":      (0.252, 0.289, 0.343, 0.381, 0.394, 0.403, 0.408, 0.415, 0.416, 0.415, 0.388, 0.279),
    "bauxite":      (0.058, 0.072, 0.122, 0.220, 0.254, 0.278, 0.294, 0.312, 0.324, 0.328, 0.395, 0.270),
    "gypsum":      (0.360, 0.398, 0.435, 0.454, 0.459, 0.461, 0.459, 0.458, 0.450, 0.420, 0.323, 0.203),
    "dry_tailings":(0.107, 0.123, 0.148, 0.172, 0.182, 0.187, 0.189, 0.190, 0.190, 0.190, 0.205, 0.176),
    "iron_tailings": (0.062, 0.074, 0.105, 0.165, 0.182, 0.186, 0.180, 0.172, 0.170, 0.172, 0.190, 0.150),
    "slurry":       (0.080, 0.095, 0.120, 0.145, 0.148, 0.142, 0.134, 0.124, 0.116, 0.110, 0.085, 0.058),
    "clear_water":  (0.030, 0.028, 0.026, 0.014, 0.011, 0.008, 0.007, 0.006, 0.006, 0.006, 0.004, 0.003),
    "green_water":  (0.028, 0.034, 0.062, 0.034, 0.044, 0.028, 0.026, 0.023, 0.020, 0.018, 0.008, 0.005),
    "muddy_water":  (0.052, 0.066, 0.100, 0.120, 0.110, 0.072, 0.066, 0.052, 0.042, 0.036, 0.012, 0.008),
    "cyan_water":   (0.095, 0.125, 0.165, 0.095, 0.068, 0.034, 0.030, 0.025, 0.020, 0.018, 0.006, 0.004),
    "rust_water":   (0.034, 0.042, 0.072, 0.155, 0.160, 0.118, 0.108, 0.090, 0.076, 0.068, 0.018, 0.012),
    "tile_roof":    (0.070, 0.080, 0.108, 0.185, 0.215, 0.238, 0.255, 0.270, 0.285, 0.290, 0.330, 0.300),
    "bright_roof": (0.221, 0.246, 0.272, 0.285, 0.289, 0.293, 0.297, 0.299, 0.302, 0.302, 0.306, 0.285),
    "asphalt":      (0.070, 0.076, 0.088, 0.098, 0.104, 0.108, 0.112, 0.118, 0.122, 0.124, 0.145, 0.138),
}  # fmt: skip

MATERIALS: Final = tuple(_TABLE)
"""Names of the materials, in the order of their channels."""
GROUND_MATERIALS: Final = MATERIALS.index("canga") + 1
"""The first so many materials make the open land; features add the others."""

#                     B1     B2     B3     B4     B5     B6     B7     B8     B8A    B9     B10     B11    B12
_PATH: Final = (0.094, 0.063, 0.035, 0.020, 0.016, 0.013, 0.011, 0.009, 0.008, 0.004, 0.0014, 0.002, 0.001)
_TRANSMITTANCE: Final = (0.80, 0.85, 0.89, 0.92, 0.91, 0.92, 0.93, 0.93, 0.95, 0.33, 0.002, 0.95, 0.92)


def reflectance_table() -> NDArray[np.float32]:
    """Surface reflectance (13 bands of `BANDS`, materials of `MATERIALS`), float32, 0..1; B10 as B11.

    B10 never reaches the ground product; at the top of the atmosphere 0.2 % of it does.
    """
    rows = [[_TABLE[m][_SURFACE_BANDS.index("B11" if b == "B10" else b)] for m in MATERIALS] for b in BANDS]
    return np.array(rows, np.float32)


def path_reflectance() -> NDArray[np.float32]:
    """Reflectance that the air itself adds, by band, float32."""
    return np.array(_PATH, np.float32)


def transmittance() -> NDArray[np.float32]:
    """Share of surface reflectance that reaches the sensor, by band, float32."""
    return np.array(_TRANSMITTANCE, np.float32)


Mix = NDArray[np.float32]
"""Shares of the materials, shape (len(MATERIALS),), summing to 1."""


def mix(**shares: float) -> Mix:
    """Shares of named materials, scaled to sum 1: `mix(red_soil=3, straw=1)`."""
    vector = np.zeros(len(MATERIALS), np.float64)
    for name, share in shares.items():
        vector[MATERIALS.index(name)] = share
    scaled: Mix = (vector / vector.sum()).astype(np.float32)
    return scaled


def blend(first: Mix, second: Mix, share: float) -> Mix:
    """`first` with `share` (0..1) of `second` in it."""
    mixed: Mix = (first * (1 - share) + second * share).astype(np.float32)
    return mixed
