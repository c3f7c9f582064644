"""KML and KMZ for Google Earth, written as a stream.

WGS 84 lon,lat; colours aabbggrr; one shared Style per impact class, all with one balloon template; a folder
per register status, in it one per verdict other than confirmed; TimeSpan of the imagery; LookAt from 3-5 km;
no NetworkLink; every text escaped.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO
from xml.sax.saxutils import escape

import numpy as np
import shapely
from PIL import Image
from shapely.geometry.base import BaseGeometry

from minedisc_core.domain import UNREGISTERED, Candidate, Impact, RegisterStatus, Status
from minedisc_core.exports.rows import CAUTION, NAMES, geometry, registers_as_of, row
from minedisc_core.runs import CHIPS

FOLDERS = {
    RegisterStatus.NOTHING_FOUND: "Nothing found in the registers (nothing_found)",
    RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT: "Title without extraction right (title_without_extraction_right)",
    RegisterStatus.REGISTERED: "In a register (registered)",
    RegisterStatus.NOT_CHECKED: "Not checked (not_checked)",
}
"""Folder names, in the order of the file."""

_VERDICT_ORDER = (Status.CONFIRMED, Status.UNSURE, Status.UNDECIDED, Status.REJECTED)
_COLOURS = {Impact.HIGH: "3c14dc", Impact.LOW: "1a8cff", Impact.NO_ORE: "a0a0a0", Impact.UNKNOWN: "00d7ff"}
"""bbggrr of each class: crimson, orange, grey, yellow."""
_NAMES = {
    Impact.HIGH: "high impact",
    Impact.LOW: "low impact",
    Impact.NO_ORE: "no ore",
    Impact.UNKNOWN: "class unknown",
}
_LOOK_M = (3_000.0, 5_000.0)
_DEGREE_M = 111_320.0
_CHIP_KINDS = ("true_colour", "swir")
_CHIP_QUALITY = 88
_SHOWN = (
    "status", "register_text", "impact", "score", "area_cells_ha", "area_drawn_ha", "verdict_by", "verdict_at_utc",
    "notes", "nearest_dam", "nearest_dam_distance_m", "nearest_river", "nearest_river_distance_m", "titles", "lands",
    "registers_as_of", "imagery_start", "imagery_end", "change", "change_earlier_ha", "change_later_ha",
    "change_other_start", "change_other_end", "model",
)  # fmt: skip
_BALLOON = (
    "<h3>$[name]</h3>$[description]<table>"
    + "".join(f"<tr><td><b>{name}</b></td><td>$[{name}]</td></tr>" for name in _SHOWN)
    + f"</table><p><i>{CAUTION}</i></p>"
)
_DATA = [f'<Data name="{name}"><value>' for name in NAMES if name != "note"]
"""The note stands once in the document and in the balloon instead of in every placemark."""


def write_kml(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write a KML file; no candidate gives a valid file with empty folders."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        write_document(file, candidates)


def write_kmz(path: Path, candidates: Sequence[Candidate], run_dirs: dict[str, Path]) -> None:
    """Write a KMZ: `doc.kml` and, under `chips/`, the chips that the runs left.

    Args:
        path: the file.
        candidates: what to write.
        run_dirs: folder of each run by its id; a chip that is gone or broken is left out.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        chips = {c.candidate_id: _add_chips(archive, c, run_dirs.get(c.run_id)) for c in candidates}
        with archive.open("doc.kml", "w") as raw, io.TextIOWrapper(raw, "utf-8", newline="\n") as file:
            write_document(file, candidates, lambda c: _pictures(chips[c.candidate_id]))


def _add_chips(archive: zipfile.ZipFile, candidate: Candidate, run_dir: Path | None) -> list[str]:
    """Put a candidate's chips in the archive; gives their names there."""
    if run_dir is None:
        return []
    stem = Path(candidate.candidate_id).name
    names = []
    for kind in _CHIP_KINDS:
        picture = _as_jpeg(run_dir / CHIPS / f"{stem}_{kind}.webp")
        if picture:
            names.append(f"{CHIPS}/{stem}_{kind}.jpg")
            archive.writestr(zipfile.ZipInfo(names[-1]), picture)
    return names


def _as_jpeg(source: Path) -> bytes:
    """A chip as JPEG (Google Earth's balloons do not show WebP everywhere); nothing if it cannot be read."""
    try:
        with Image.open(source) as picture, io.BytesIO() as out:
            picture.convert("RGB").save(out, "JPEG", quality=_CHIP_QUALITY)
            return out.getvalue()
    except OSError:
        return b""


def _pictures(chips: Iterable[str]) -> str:
    images = "".join(f'<img src="{escape(name)}" width="260"/>' for name in chips)
    return escape(images)


def write_document(
    file: TextIO, candidates: Sequence[Candidate], describe: Callable[[Candidate], str] | None = None
) -> None:
    """Write the whole KML document to an open text file."""
    about = f"{CAUTION} Registers as of: {registers_as_of(candidates)}."
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>')
    file.write(f"<name>minedisc candidates</name><open>1</open><description>{escape(about)}</description>\n")
    file.writelines(_style(impact) for impact in Impact)
    for status, name in FOLDERS.items():
        members = [candidate for candidate in candidates if candidate.match.status is status]
        if members or status in UNREGISTERED:
            file.write(f'<Folder id="{status}"><name>{escape(name)}</name>\n')
            _write_by_verdict(file, status, members, describe)
            file.write("</Folder>\n")
    file.write("</Document></kml>\n")


def _write_by_verdict(
    file: TextIO, register: RegisterStatus, members: Sequence[Candidate], describe: Callable[[Candidate], str] | None
) -> None:
    """The confirmed ones, then a folder inside for each other verdict: a rejected one never lies among them."""
    for status in _VERDICT_ORDER:
        chosen = [candidate for candidate in members if candidate.status is status]
        is_inside = bool(chosen) and status is not Status.CONFIRMED
        if is_inside:
            file.write(f'<Folder id="{register}-{status}"><name>{status.capitalize()} ({register})</name>\n')
        file.writelines(_placemark(c, describe(c) if describe else "") for c in chosen)
        if is_inside:
            file.write("</Folder>\n")


def _style(impact: Impact) -> str:
    colour = _COLOURS[impact]
    return (
        f'<Style id="impact-{impact}"><LineStyle><color>ff{colour}</color><width>2</width></LineStyle>'
        f"<PolyStyle><color>4d{colour}</color></PolyStyle><BalloonStyle><text>{escape(_BALLOON)}</text></BalloonStyle>"
        "</Style>\n"
    )


def _placemark(candidate: Candidate, description: str) -> str:
    values = row(candidate)
    data = "".join([f"{start}{_text(value)}</value></Data>" for start, value in zip(_DATA, values, strict=False)])
    name = f"{_NAMES[candidate.impact]}, score {candidate.site.score:.2f}, {candidate.candidate_id}"
    return (
        f"<Placemark><name>{escape(name)}</name>{_description(candidate, description)}"
        f"{_look_at(candidate, values[1], values[2])}{_time_span(candidate)}"
        f"<styleUrl>#impact-{candidate.impact}</styleUrl>"
        f"<ExtendedData>{data}</ExtendedData>{_geometry(geometry(candidate))}</Placemark>\n"
    )


def _description(candidate: Candidate, pictures: str) -> str:
    """Both areas where a person drew one, and the pictures (escaped)."""
    if candidate.area_drawn_ha is None:
        return f"<description>{pictures}</description>" if pictures else ""
    areas = f"Drawn outline {candidate.area_drawn_ha:,.1f} ha; 270 m cells {candidate.site.area_cells_ha:,.1f} ha."
    return f"<description>{areas}{pictures}</description>"


def _text(value: Any) -> str:
    """Escaped text; an empty value is written too, or the balloon would show the name of the field."""
    if value.__class__ is str:
        return escape(value)
    if value is None:
        return ""
    return str(value).lower() if value.__class__ is bool else str(value)


def _look_at(candidate: Candidate, lon: float, lat: float) -> str:
    side_m = math.sqrt(max(candidate.site.area_cells_ha, 0.0) * 10_000)
    range_m = min(max(4 * side_m, _LOOK_M[0]), _LOOK_M[1])
    return (
        f"<LookAt><longitude>{lon}</longitude><latitude>{lat}</latitude><altitude>0</altitude><heading>0</heading>"
        f"<tilt>0</tilt><range>{range_m:.0f}</range></LookAt>"
    )


def _time_span(candidate: Candidate) -> str:
    start, end = candidate.imagery_start, candidate.imagery_end
    begin = f"<begin>{start.isoformat()}</begin>" if start else ""
    finish = f"<end>{end.isoformat()}</end>" if end else ""
    return f"<TimeSpan>{begin}{finish}</TimeSpan>" if start or end else ""


def _geometry(polygon: BaseGeometry) -> str:
    parts = [_polygon(part) for part in getattr(polygon, "geoms", [polygon])]
    return parts[0] if len(parts) == 1 else f"<MultiGeometry>{''.join(parts)}</MultiGeometry>"


def _polygon(polygon: BaseGeometry) -> str:
    oriented = shapely.orient_polygons(polygon)
    holes = "".join(f"<innerBoundaryIs>{_ring(ring)}</innerBoundaryIs>" for ring in oriented.interiors)
    return f"<Polygon><outerBoundaryIs>{_ring(oriented.exterior)}</outerBoundaryIs>{holes}</Polygon>"


def _ring(ring: BaseGeometry) -> str:
    corners: np.ndarray[Any, np.dtype[np.float64]] = shapely.get_coordinates(ring)
    text = ("%.7f,%.7f " * len(corners)) % tuple(corners.ravel().tolist())
    return f"<LinearRing><coordinates>{text[:-1]}</coordinates></LinearRing>"
