"""One raster file as it lies on disk, and how its numbers become DN.

DN is reflectance x 10,000 with the offset of processing baseline 04.00 removed; 0 is no data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError

from minedisc_core.errors import ImageryError
from minedisc_core.imagery.bands import canonical_band
from minedisc_core.imagery.network import asking, full_address, gdal_path, is_remote, shown, timeout_s
from minedisc_core.imagery.network_faults import in_words

TAG_LEVEL = "MINEDISC_LEVEL"
TAG_DN_OFFSET = "MINEDISC_DN_OFFSET"
TAG_START = "MINEDISC_IMAGERY_START"
TAG_END = "MINEDISC_IMAGERY_END"
TAG_SOURCE = "MINEDISC_SOURCE"

DN_PER_REFLECTANCE = 10_000
LOWEST_DN = -1_000
"""Nothing real lies under it: the offset of baseline 04.00 keeps reflectances down to -0.1."""
_FLOAT_LIMIT = 20.0
"""A median over 20 (2,000 % reflectance) in a float file: its numbers are not reflectance."""


class Unreadable(ImageryError):
    """A file that is there, or should be, and cannot be read: of many, the others can be used without it."""


@dataclass(frozen=True)
class RasterFile:
    """Facts of one file that the mosaic needs; the file itself is not kept open."""

    path: str
    height_px: int
    width_px: int
    transform: Affine
    crs: str
    dtype: str
    bands: tuple[str | None, ...]
    """Canonical band of each band of the file; None for bands that are no Sentinel-2 band."""
    gain: float
    """DN = value * gain - dn_offset."""
    dn_offset: int
    nodata: float | None
    """The file's own no-data value, None if it states none."""
    is_masked: bool
    """The file carries a mask or an alpha band."""
    has_alpha: bool
    """Its last band is the mask."""
    tags: tuple[tuple[str, str], ...]
    stamp: str
    """Hash over names, sizes and times of the file and of all it refers to, and over its layout."""

    @property
    def is_plain(self) -> bool:
        """Whether the values are DN already."""
        own_zero = self.nodata is None or self.nodata == 0
        return self.dtype == "uint16" and self.gain == 1 and not self.dn_offset and own_zero and not self.is_masked

    def tag(self, name: str) -> str | None:
        """A tag's text, None if absent or blank."""
        return dict(self.tags).get(name, "").strip() or None

    def to_dn(self, values: NDArray[np.generic], mask: NDArray[np.uint8] | None = None) -> NDArray[np.uint16]:
        """DN, uint16, 0 = no data, of values read from the file (any shape, same shape out).

        Args:
            values: as stored.
            mask: 0 where the file's mask says no data, same shape.
        """
        if self.is_plain:
            return values.astype(np.uint16, copy=False)
        valid = self._valid(values)
        if mask is not None:
            valid &= mask != 0
        if values.dtype == np.uint16 and self.gain == 1:
            dn: NDArray[np.uint16] = np.maximum(values, np.uint16(self.dn_offset + 1)) - np.uint16(self.dn_offset)
            dn[~valid] = 0
            return dn
        scaled = np.rint(np.where(valid, values, 0).astype(np.float64) * self.gain) - self.dn_offset
        return np.where(valid & (scaled >= LOWEST_DN), np.clip(scaled, 1, 65_535), 0).astype(np.uint16)

    def _valid(self, values: NDArray[np.generic]) -> NDArray[np.bool_]:
        is_float = np.issubdtype(values.dtype, np.floating)
        valid: NDArray[np.bool_] = np.isfinite(values) if is_float else np.ones(values.shape, bool)
        if self.nodata is not None and not np.isnan(self.nodata):
            valid &= values != self.nodata
        zero_is_dark = is_float and self.nodata is not None and self.nodata != 0
        return valid if zero_is_dark else valid & (values != 0)


@dataclass(frozen=True)
class BandSource:
    """One band of a scene: a band of a file."""

    file: RasterFile
    index: int
    """Of the band in the file, from 1."""

    @property
    def pixel_m(self) -> float:
        """Size of a pixel in the file's own units."""
        return float(abs(self.file.transform.a))


def bands_of(file: RasterFile) -> dict[str, BandSource]:
    """The bands that a file names, in its order."""
    return {name: BandSource(file, index) for index, name in enumerate(file.bands, 1) if name}


def describe_file(path: str | Path, bands: Sequence[str] | None = None, dn_offset: int | None = None) -> RasterFile:
    """Open a file, check what can be checked without its pixels, and give its facts.

    Args:
        path: anything GDAL opens: local, `/vsi...`, `https://...`, VRT.
        bands: names of the file's bands in order; needed only if the file does not name them.
        dn_offset: offset of the stored values (1000 for baseline 04.00 and later); None: as the file states.

    Raises:
        ImageryError: not a raster, no pixels, no CRS, unusable numbers, unnamed bands, contradicting offset.
    """
    with asking(gdal_path(str(path))), open_raster(path) as dataset:
        _check_layout(dataset)
        names = _band_names(dataset, bands)
        _check_numbers(dataset, names)
        gain, offset = _scaling(dataset, names, dn_offset)
        crs = dataset.crs
        return RasterFile(
            path=shown(dataset.name),
            height_px=dataset.height,
            width_px=dataset.width,
            transform=dataset.transform,
            crs=f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.to_wkt(),
            dtype=_dtype(dataset, names),
            bands=names,
            gain=gain,
            dn_offset=offset,
            nodata=dataset.nodata,
            is_masked=any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums),
            has_alpha=any(MaskFlags.alpha in flags for flags in dataset.mask_flag_enums),
            tags=tuple(sorted(dataset.tags().items())),
            stamp=_stamp(dataset),
        )


def open_raster(path: str | Path, **options: object) -> rasterio.DatasetReader:
    """Open a raster for reading.

    Raises:
        ImageryError: the path is a folder, is missing or empty, or is not a raster.
    """
    text = gdal_path(str(path))
    is_local = not text.startswith("/vsi") and "://" not in text
    missing = _check_local(text) if is_local else False
    try:
        with asking(text):
            return rasterio.open(full_address(text), **options)
    except (RasterioError, OSError, ValueError) as error:
        if is_remote(text):
            raise unread(text, error) from None  # the cause may name the full address
        kind = ImageryError if missing else Unreadable
        raise kind(
            f"{text} does not exist" if missing else f"{text} cannot be opened as a raster ({shown(str(error))})",
            "a GeoTIFF, VRT or another raster that GDAL reads",
            "check the path" if missing else "check that the file is complete",
        ) from error


def unread(path: str, error: BaseException) -> Unreadable:
    """What to say of a file on a network that cannot be read."""
    return Unreadable(
        f"{path} cannot be read: {in_words(error, timeout_s())}",
        "a file that the network gives whole",
        "check the address, the right to read it (a signed address ends after a while), and the server; then resume",
    )


def _check_local(text: str) -> bool:
    """Whether no file of that name exists (it may still be GDAL's own notation)."""
    local = Path(text)
    try:
        if not text.strip():
            raise ImageryError("the file name is empty", "the path of a raster")
        if local.is_dir():
            raise ImageryError(
                f"{text} is a folder", "a raster file", f"minedisc mosaic --source files {text} --out mosaic.tif"
            )
        if local.is_file() and local.stat().st_size == 0:
            raise Unreadable(f"{text} is empty (0 bytes)", "a raster file", "download or export it again")
        return not local.exists()
    except (OSError, ValueError) as error:  # too long, a zero byte
        raise ImageryError(f"{text[:80]!r} is no file name ({error})", "the path of a raster") from error


def _check_layout(dataset: rasterio.DatasetReader) -> None:
    name = shown(dataset.name)
    if dataset.count == 0 or dataset.width == 0 or dataset.height == 0:
        inner = f"; it holds {len(dataset.subdatasets)} rasters of its own" if dataset.subdatasets else ""
        raise ImageryError(
            f"{name} has no bands or no pixels{inner}",
            "one raster with all bands",
            "unpack it and build one with `minedisc mosaic --source files FOLDER --out mosaic.tif`",
        )
    if dataset.crs is None or dataset.transform.is_identity:
        raise ImageryError(
            f"{name} does not say where on Earth it lies",
            "a coordinate system and a geotransform",
            "export it again with its georeference",
        )


def _band_names(dataset: rasterio.DatasetReader, bands: Sequence[str] | None) -> tuple[str | None, ...]:
    names = tuple(canonical_band(text or "") for text in (bands or dataset.descriptions))
    if bands and len(bands) != dataset.count:
        raise ImageryError(
            f"{len(bands)} band names for {shown(dataset.name)}", f"{dataset.count}, one for each of its bands"
        )
    if bands and None in names:
        raise ImageryError(
            f"{bands[names.index(None)]!r} is no Sentinel-2 band", "B1 .. B12, B8A or a common name such as blue"
        )
    named = [name for name in names if name]
    if not named:
        raise ImageryError(
            f"none of the {dataset.count} bands of {shown(dataset.name)} is named",
            "descriptions such as B2, B02 or blue",
            "give the names in the file's order, B2,B3,B4 for example (scan: --bands, mosaic: --file-bands)",
        )
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ImageryError(f"{shown(dataset.name)} has more than one band {twice[0]}", "each band once")
    return names


def _dtype(dataset: rasterio.DatasetReader, names: Sequence[str | None]) -> str:
    used = [np.dtype(kind) for kind, name in zip(dataset.dtypes, names, strict=True) if name]
    return str(np.result_type(*used))


def _check_numbers(dataset: rasterio.DatasetReader, names: Sequence[str | None]) -> None:
    kind = np.dtype(_dtype(dataset, names))
    if kind.kind == "c" or kind.itemsize == 1:
        raise ImageryError(
            f"{shown(dataset.name)} holds {kind} numbers",
            "DN as 16-bit integers (reflectance x 10,000) or reflectance as floats",
            "export the bands themselves, not a picture of them",
        )
    if kind.kind != "f" or dataset.scales[0] != 1:
        return
    middle = _median(dataset, names)
    if middle > _FLOAT_LIMIT:
        raise ImageryError(
            f"{shown(dataset.name)} holds floats with a median of {middle:.0f}",
            "float files hold reflectance (0 to about 1); DN are integers",
            f"rio convert --dtype uint16 {shown(dataset.name)} OUT.tif, if these are DN",
        )


def _median(dataset: rasterio.DatasetReader, names: Sequence[str | None]) -> float:
    """Median of one block in the middle of the first named band, no data left out; 0 if it holds none."""
    band = next(i for i, name in enumerate(names, 1) if name)
    height, width = (min(size, 256) for size in dataset.shape)
    window = ((dataset.height - height) // 2, (dataset.width - width) // 2)
    block = dataset.read(band, window=rasterio.windows.Window(window[1], window[0], width, height), masked=True)
    values = block.compressed()
    values = values[np.isfinite(values) & (values != 0)]
    return float(np.median(values)) if values.size else 0.0


def _scaling(dataset: rasterio.DatasetReader, names: Sequence[str | None], dn_offset: int | None) -> tuple[float, int]:
    """Gain and DN offset, from what is stated: by the caller, in the tag, in GDAL's scale and offset."""
    band = next(i for i, name in enumerate(names) if name)
    scale, shift = float(dataset.scales[band]), float(dataset.offsets[band])
    is_float = np.dtype(_dtype(dataset, names)).kind == "f"
    gain = scale * DN_PER_REFLECTANCE if is_float or scale != 1 else 1.0
    stated = {
        "its tag " + TAG_DN_OFFSET: _tagged_offset(dataset),
        "its scale and offset": round(-shift * (gain / scale)) if shift else None,
        "the call": dn_offset,
    }
    said = {who: value for who, value in stated.items() if value is not None}
    if len(set(said.values())) > 1:
        told = ", ".join(f"{value} by {who}" for who, value in said.items())
        raise ImageryError(
            f"{shown(dataset.name)} is given different DN offsets: {told}", "one", "leave out the wrong one"
        )
    offset = next(iter(said.values()), 0)
    if not 0 <= offset <= DN_PER_REFLECTANCE:
        raise ImageryError(
            f"{shown(dataset.name)} is given a DN offset of {offset}", "0, or 1000 from baseline 04.00 on"
        )
    return round(gain, 9), offset


def _tagged_offset(dataset: rasterio.DatasetReader) -> int | None:
    text = dataset.tags().get(TAG_DN_OFFSET, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise ImageryError(
            f"{shown(dataset.name)} has the tag {TAG_DN_OFFSET}={text!r}", "a whole number such as 0 or 1000"
        )
    return int(text)


def _stamp(dataset: rasterio.DatasetReader) -> str:
    if is_remote(shown(dataset.name)):  # what is seen of it does not change with a signature
        remote = [shown(dataset.name), dataset.profile, sorted(dataset.tags().items()), dataset.descriptions]
        return hashlib.sha256(repr(remote).encode()).hexdigest()
    facts: list[object] = [dataset.profile, sorted(dataset.tags().items()), dataset.descriptions]
    for name in sorted(dataset.files) or [dataset.name]:
        local = Path(name)
        stat = local.stat() if local.is_file() else None
        facts.append((name, stat.st_size, stat.st_mtime_ns) if stat else name)
    return hashlib.sha256(repr(facts).encode()).hexdigest()
