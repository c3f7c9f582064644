"""Addresses that open a place elsewhere: in Google Earth, in the Copernicus Browser, in OpenStreetMap.

They only stand on the page; a request leaves the machine when a person follows one.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode, urlsplit

from minedisc_core.domain import ProductLevel

ZOOM = 15
"""About 5 m a pixel: a chip's 2 km fill half the window."""
VIEW_M = 3_000
"""Distance of Google Earth's camera."""
DATASETS = {ProductLevel.L1C: "S2_L1C_CDAS", ProductLevel.L2A: "S2_L2A_CDAS"}
"""The Copernicus Browser's names of the products."""


def links(
    lon: float, lat: float, level: ProductLevel, imagery: tuple[date | None, date | None]
) -> list[dict[str, str]]:
    """Label, address and host of each link; the Copernicus Browser opens with the imagery's own dates.

    Args:
        lon: of the place, EPSG:4326.
        lat: of the place.
        level: product that was scanned.
        imagery: its first and last day; None where it is not known.
    """
    here = f"{lat:.6f},{lon:.6f}"
    asked = urlencode(_copernicus(lon, lat, level, imagery))
    found = {
        "Google Earth": f"https://earth.google.com/web/search/{here}/@{here},0a,{VIEW_M}d,35y,0h,0t,0r",
        "Copernicus Browser": f"https://browser.dataspace.copernicus.eu/?{asked}",
        "OpenStreetMap": f"https://www.openstreetmap.org/?mlat={lat:.6f}&mlon={lon:.6f}#map={ZOOM}/{lat:.6f}/{lon:.6f}",
    }
    return [{"label": label, "url": url, "host": urlsplit(url).hostname or ""} for label, url in found.items()]


def _copernicus(
    lon: float, lat: float, level: ProductLevel, imagery: tuple[date | None, date | None]
) -> dict[str, str]:
    asked = {"zoom": str(ZOOM), "lat": f"{lat:.5f}", "lng": f"{lon:.5f}", "themeId": "DEFAULT-THEME"}
    asked |= {"datasetId": DATASETS[level], "layerId": "1_TRUE_COLOR"}
    start, end = imagery[0] or imagery[1], imagery[1] or imagery[0]
    if start is None or end is None:
        return asked
    asked |= {"fromTime": f"{start}T00:00:00.000Z", "toTime": f"{end}T23:59:59.999Z"}
    if start == end:
        return asked | {"cloudCoverage": "100", "dateMode": "SINGLE"}
    return asked | {"cloudCoverage": "30", "dateMode": "MOSAIC", "mosaickingOrder": "leastCC"}
