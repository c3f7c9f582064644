"""Which files make a scene: bands found by file name or description, in folders, zips and SAFE trees."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import ImageryError
from minedisc_core.imagery.bands import ALL_BANDS, L1C_BANDS, L2A_BANDS, canonical_band
from minedisc_core.imagery.raster_file import TAG_LEVEL, BandSource, RasterFile, bands_of, describe_file, open_raster

_SUFFIXES = (".jp2", ".j2k", ".tif", ".tiff", ".vrt", ".img")
_NO_BANDS = re.compile(
    r"(?:^|[_.-])(?:TCI|PVI|AOT|WVP|SCL|MSK|CLD|SNW|TRUE|preview|thumbnail|L2A_PVI)(?:[_.-]|$)", re.I
)
"""Files of a product that show or describe the bands."""
_RESOLUTION_FOLDER = re.compile(r"^R\d\dm$")
_RESOLUTION = re.compile(r"^\d\dm$")
_PRODUCT = re.compile(r"(?:^|_)MSI(L1C|L2A)_\d{8}T\d{6}_N(\d{4})_")
"""ESA's product names state level and processing baseline."""
_OFFSET_BASELINE, _LAST_BASELINE = 400, 900
_BASELINE_OFFSET = 1_000


@dataclass(frozen=True)
class Scene:
    """Bands of one acquisition or export, each on its own grid."""

    name: str
    bands: dict[str, BandSource]
    level: ProductLevel | None

    @property
    def finest(self) -> RasterFile:
        """The file whose pixels are smallest; of equals the first in the instrument's order."""
        order = sorted(self.bands, key=ALL_BANDS.index)
        return min((self.bands[name] for name in order), key=lambda source: source.pixel_m).file


def find_scenes(
    sources: Sequence[str | Path],
    *,
    file_bands: Sequence[str] | None = None,
    level: ProductLevel | None = None,
    dn_offset: int | None = None,
    leave_out: Path | None = None,
) -> list[Scene]:
    """All scenes in folders, zips and files, in the order of the sources, then of the names.

    A file of one band names it (`T33UUU_..._B02.jp2`, `B8A.tif`, `x_B02_10m.jp2`); a file of several
    bands describes them, or `file_bands` gives their order. Of a band at several resolutions (Level-2A
    products) the finest is taken. Rasters of one band that name none are passed over in folders and zips.
    `leave_out` is a file that is none of the sources, though it may lie in their folder.

    Raises:
        ImageryError: nothing usable is found, or what is found contradicts itself.
    """
    if not sources:
        raise ImageryError("no source given", "folders, zips or files with Sentinel-2 bands")
    scenes: list[Scene] = []
    for source in sources:
        names = [name for name in _raster_names(source) if leave_out is None or Path(name) != leave_out]
        if not names:
            raise ImageryError(
                f"{source} holds no raster of a Sentinel-2 band", "files such as T33UUU_20170216T102101_B02.jp2"
            )
        scenes += _grouped(names, file_bands, level, dn_offset)
    return scenes


def wanted_bands(scenes: Sequence[Scene], bands: Sequence[str] | None, level: ProductLevel | None) -> tuple[str, ...]:
    """The bands of the mosaic: as asked, else the twelve of the product level.

    Raises:
        ImageryError: the level is needed and unknown, a name is no band, or a scene lacks a band.
    """
    if bands:
        wanted = tuple(canonical_band(name) or name for name in bands)
    elif level is None:
        raise ImageryError(
            f"nothing says whether {scenes[0].name} is L1C or L2A",
            "a product level",
            "state it with --level L1C or L2A",
        )
    else:
        wanted = L1C_BANDS if level is ProductLevel.L1C else L2A_BANDS
    for scene in scenes:
        missing = [name for name in wanted if name not in scene.bands]
        if missing:
            found = ", ".join(sorted(scene.bands, key=ALL_BANDS.index))
            raise ImageryError(
                f"{scene.name} has no band {', '.join(missing)}; found: {found}",
                ", ".join(wanted),
                "add the missing files, or name the bands you want with --bands",
            )
    return wanted


def common_level(scenes: Sequence[Scene], stated: ProductLevel | None) -> ProductLevel | None:
    """The level that the caller and the scenes agree on; None if nothing says it.

    Raises:
        ImageryError: they disagree.
    """
    said = {stated, *(scene.level for scene in scenes)} - {None}
    if len(said) > 1:
        told = ", ".join(f"{scene.name}: {scene.level}" for scene in scenes if scene.level)
        raise ImageryError(
            f"the product levels disagree: {stated or 'none'} asked for; {told}", "one level", "leave out the others"
        )
    return next(iter(said), None)


def _raster_names(source: str | Path) -> list[str]:
    """Paths that GDAL opens of all rasters in a source."""
    path = Path(source)
    if path.is_dir():
        inner = sorted(path.rglob("*"))
        return [str(p) for p in inner if _is_band_file(str(p.relative_to(path))) and p.is_file()]
    if path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
        try:
            with zipfile.ZipFile(path) as archive:
                members = sorted(archive.namelist())
        except zipfile.BadZipFile as error:
            raise ImageryError(f"{path} is no whole zip ({error})", remedy="download it again") from error
        return [f"/vsizip/{{{path.resolve()}}}/{name}" for name in members if _is_band_file(name)]
    return [str(source)]


def _is_band_file(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in path.parts)
    return path.suffix.lower() in _SUFFIXES and not hidden and not _NO_BANDS.search(path.stem)


def _grouped(
    names: Sequence[str], file_bands: Sequence[str] | None, level: ProductLevel | None, dn_offset: int | None
) -> list[Scene]:
    singles: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    scenes: list[tuple[str, Scene]] = []
    for name in names:
        band, stem = band_in_name(name)
        with open_raster(name) as dataset:
            is_single = dataset.count == 1
            is_named = band is not None or canonical_band(dataset.descriptions[0] or "") is not None or file_bands
        if band and is_single:
            singles[_folder(name), stem].append((band, name))
        elif is_named or not is_single or len(names) == 1:
            scenes.append((name, _scene_of_file(name, file_bands, level, dn_offset)))
    for (folder, stem), found in singles.items():
        scenes.append((found[0][1], _scene_of_singles(folder, stem, found, level, dn_offset)))
    return [scene for _, scene in sorted(scenes, key=lambda pair: pair[0])]


def band_in_name(name: str) -> tuple[str | None, str]:
    """The band that a file name ends with (before a resolution), and the name without it.

    Only codes (`B02`, `B8A`) count: `red.tif` might be anything.
    """
    parts = [part for part in re.split(r"[_.\- ]", PurePosixPath(name).stem) if part]
    while parts and _RESOLUTION.match(parts[-1]):
        parts.pop()
    if parts and re.fullmatch(r"[Bb]\d{1,2}[Aa]?", parts[-1]):
        return canonical_band(parts[-1]), "_".join(parts[:-1])
    return None, "_".join(parts)


def _folder(name: str) -> str:
    parent = PurePosixPath(name).parent
    return str(parent.parent if _RESOLUTION_FOLDER.match(parent.name) else parent)


def _scene_of_singles(
    folder: str, stem: str, found: Sequence[tuple[str, str]], level: ProductLevel | None, dn_offset: int | None
) -> Scene:
    bands: dict[str, BandSource] = {}
    offset = _offset(folder, dn_offset)
    for band, name in found:
        source = BandSource(describe_file(name, [band], offset), 1)
        if band not in bands or source.pixel_m < bands[band].pixel_m:
            bands[band] = source
        elif source.pixel_m == bands[band].pixel_m:
            raise ImageryError(
                f"{name} and {bands[band].file.path} are both band {band}", "one file for each band of a scene"
            )
    title = f"{folder}/{stem}" if stem else folder
    return Scene(title, bands, _scene_level(title, bands, level))


def _scene_of_file(
    name: str, file_bands: Sequence[str] | None, level: ProductLevel | None, dn_offset: int | None
) -> Scene:
    file = describe_file(name, file_bands, _offset(name, dn_offset))
    bands = bands_of(file)
    return Scene(name, bands, _scene_level(name, bands, level))


def _scene_level(name: str, bands: dict[str, BandSource], stated: ProductLevel | None) -> ProductLevel | None:
    """From the tag, the product's name, or B10, which only L1C has."""
    said: set[str] = {stated} if stated else set()
    said |= {text.upper() for source in bands.values() if (text := source.file.tag(TAG_LEVEL))}
    said |= {match[1] for match in _PRODUCT.finditer(_product_parts(name))}
    if "B10" in bands:
        said.add(ProductLevel.L1C)
    if len(said) > 1 or not said <= set(ProductLevel):
        raise ImageryError(
            f"the product level of {name} is said to be {' and '.join(sorted(said))}",
            "L1C or L2A",
            "correct --level, or the file's tag",
        )
    return ProductLevel(said.pop()) if said else None


def _offset(name: str, stated: int | None) -> int | None:
    """The DN offset of a product by the processing baseline in its name (04.00 on: 1000), if it has one."""
    baselines = {int(match[2]) for match in _PRODUCT.finditer(_product_parts(name))}
    if not baselines:
        return stated
    by_name = _BASELINE_OFFSET if _OFFSET_BASELINE <= max(baselines) < _LAST_BASELINE else 0
    if stated is not None and stated != by_name:
        raise ImageryError(
            f"{name} has processing baseline {max(baselines):04d}, so its DN offset is {by_name}, not {stated}",
            "one offset",
            "leave out --dn-offset",
        )
    return by_name


def _product_parts(name: str) -> str:
    return "_".join(part for part in PurePosixPath(name).parts if "MSIL" in part)
