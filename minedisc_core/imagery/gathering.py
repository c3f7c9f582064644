"""From what a person lists to pieces of ground: files, patterns, VRTs, addresses and STAC item collections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from glob import has_magic
from pathlib import Path

from pyproj import CRS

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.imagery.network import check_distinct, gdal_path, is_remote, shown
from minedisc_core.imagery.raster_file import (
    TAG_END,
    TAG_LEVEL,
    TAG_SOURCE,
    TAG_START,
    BandSource,
    RasterFile,
    Unreadable,
    bands_of,
    describe_file,
)

_ASKED_AT_ONCE = 8
"""Files of a network that are described at once."""
_NAMED = 3
"""Files named in a sentence on many."""


@dataclass(frozen=True)
class Piece:
    """Bands of one piece of ground, before its place in a mosaic is known."""

    name: str
    """The file's path, or the scene's id."""
    bands: Mapping[str, BandSource]
    identity: tuple[object, ...]
    levels: Mapping[str, ProductLevel | None]
    """Product level by who says it."""
    days: tuple[date | None, date | None]
    source: str
    is_scene: bool = False
    """Of an item collection: it may lack a band, and only GeoTIFF is opened."""

    @property
    def finest(self) -> RasterFile:
        """The file with the smallest pixels."""
        return min(self.bands.values(), key=lambda source: source.pixel_m).file


@dataclass(frozen=True)
class Gathered:
    """What a list came to."""

    pieces: tuple[Piece, ...]
    left_out: tuple[str, ...]
    """What could not be read, a sentence each."""


def listed(entries: Iterable[str | Path]) -> tuple[str, ...]:
    """The files that a list names, each once: patterns become the files that match now, addresses GDAL's own.

    Raises:
        ImageryError: a pattern matches nothing, or two addresses cannot be told apart.
    """
    texts = [str(entry) for entry in entries]
    check_distinct(texts)
    found: dict[str, None] = {}
    for text in texts:
        is_pattern = has_magic(text) and not is_remote(text) and "/vsi" not in text and not Path(text).exists()
        names = _matching(Path(text).expanduser()) if is_pattern else [gdal_path(text)]
        if not names:
            raise ImageryError(f"no file matches {text}", "a pattern such as folder/*.tif", "check the folder's name")
        found |= dict.fromkeys(names)
    return tuple(found)


def _matching(pattern: Path) -> list[str]:
    root = Path(pattern.anchor or ".")
    return sorted(str(path) for path in root.glob(str(pattern.relative_to(pattern.anchor))) if path.is_file())


def gather(entries: Sequence[str | Path], bands: Sequence[str] | None = None, dn_offset: int | None = None) -> Gathered:
    """The pieces of ground that a list names, in its order.

    What is wrong with a file that can be read is raised; a file that cannot be read is left out and named,
    unless it is the only one.

    Raises:
        ImageryError: nothing can be used, or something contradicts itself.
    """
    names = listed(entries)
    if not names:
        raise ImageryError("no file given", "one or more GeoTIFF or VRT files, or a STAC item collection")
    calls = [call for name in names for call in _calls(name, bands, dn_offset)]
    results = _all(calls, at_once=_ASKED_AT_ONCE if any(map(is_remote, names)) or len(calls) > len(names) else 1)
    pieces = tuple(result for result in results if isinstance(result, Piece))
    faults = [result for result in results if isinstance(result, Unreadable)]
    if not pieces:
        raise faults[0]
    return Gathered(pieces, tuple(str(fault).rstrip(".") for fault in faults))


def _calls(name: str, bands: Sequence[str] | None, dn_offset: int | None) -> list[Callable[[], Piece]]:
    if not is_collection(name):
        return [partial(_of_file, name, bands, dn_offset)]
    # Only lists of scenes need the STAC libraries.
    from minedisc_core.imagery.stac.item_files import read_items, scene_files

    def of_scene(number: int) -> Piece:
        scene = scene_files(items[number], name, dn_offset)
        said = {f"the item {scene.name}": scene.level}
        return Piece(scene.name, scene.bands, scene.facts, said, (scene.day, scene.day), _SCENES, is_scene=True)

    items = read_items(name)
    return [partial(of_scene, number) for number in range(len(items))]


_SCENES = "STAC items"


def _of_file(name: str, bands: Sequence[str] | None, dn_offset: int | None) -> Piece:
    file = describe_file(name, bands, dn_offset)
    said = {
        f"the tag of {file.path}": _tagged_level(file),
        f"band B10 of {file.path}": ProductLevel.L1C if "B10" in file.bands else None,
    }
    days = _tagged_day(file, TAG_START), _tagged_day(file, TAG_END)
    identity = (file.stamp, file.bands, file.gain, file.dn_offset)
    return Piece(file.path, bands_of(file), identity, said, days, file.tag(TAG_SOURCE) or "files")


def _all(calls: Sequence[Callable[[], Piece]], at_once: int) -> list[Piece | Unreadable]:
    if at_once == 1:
        return [_tried(call) for call in calls]
    with ThreadPoolExecutor(at_once, "describe") as pool:
        return list(pool.map(_tried, calls))


def _tried(call: Callable[[], Piece]) -> Piece | Unreadable:
    try:
        return call()
    except Unreadable as error:
        return error


def is_collection(path: str) -> bool:
    """Whether a path names a STAC item collection and not a raster."""
    return shown(path).lower().endswith((".json", ".geojson"))


def by_crs(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """Pieces by their coordinate system, in the order in which these first come."""
    found: dict[str, list[Piece]] = {}
    for piece in pieces:
        crs = piece.finest.crs
        same = next((known for known in found if known == crs or crs_of(known) == crs_of(crs)), crs)
        found.setdefault(same, []).append(piece)
    return found


@lru_cache(maxsize=64)
def crs_of(text: str) -> CRS:
    """The coordinate system that a text means."""
    return CRS.from_user_input(text)


def common_level(pieces: Sequence[Piece], stated: ProductLevel | None) -> ProductLevel | None:
    """The level that the caller, the tags and band B10 (in L1C only) agree on; None if none of them speaks.

    Raises:
        ImageryError: they disagree.
    """
    said = {"the call": stated}
    for piece in pieces:
        said |= piece.levels
    spoken = {who: level for who, level in said.items() if level}
    if len(set(spoken.values())) > 1:
        told = "; ".join(f"{level} by {who}" for who, level in list(spoken.items())[: 2 * _NAMED])
        raise ImageryError(
            f"the product level is said to be {told}", "one level", "leave out --level, or correct the tag"
        )
    return next(iter(spoken.values()), None)


def first_and_last_day(pieces: Sequence[Piece]) -> tuple[date | None, date | None]:
    """First and last day of the imagery of all pieces, as far as they say it."""
    starts = [piece.days[0] for piece in pieces if piece.days[0]]
    ends = [piece.days[1] for piece in pieces if piece.days[1]]
    return min(starts, default=None), max(ends, default=None)


def named(names: Sequence[str]) -> str:
    """`a.tif, b.tif, c.tif and 4 more`."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _tagged_level(file: RasterFile) -> ProductLevel | None:
    text = file.tag(TAG_LEVEL)
    if text is None:
        return None
    try:
        return ProductLevel(text.upper())
    except ValueError as error:
        raise ImageryError(f"{file.path} has the tag {TAG_LEVEL}={text!r}", "L1C or L2A") from error


def _tagged_day(file: RasterFile, tag: str) -> date | None:
    text = file.tag(tag)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ImageryError(f"{file.path} has the tag {tag}={text!r}", "a date such as 2019-12-31") from error
