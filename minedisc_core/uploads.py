"""Files that people hand in: size limits, and unpacking a zip that may be hostile.

Nothing is believed: not the size a zip declares, not its entry count, not its names. Files are unpacked
below one folder only, plain files only, and never more than the stated limits.
"""

from __future__ import annotations

import lzma
import mmap
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from minedisc_core.errors import UsageError
from minedisc_core.settings import Settings

_MB = 1_000_000
_CHUNK = 1 << 20
_ENTRY_MARK = b"PK\x01\x02"
_LONGEST_NAME = 200
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError, RuntimeError)
"""What the standard library raises on damaged, encrypted or exotic entries."""


def check_upload(name: str, size: int, settings: Settings) -> None:
    """Refuse an upload that is empty or larger than `settings.upload_max_mb` (size in bytes).

    Raises:
        UsageError: the file is empty or too large.
    """
    if size <= 0:
        raise UsageError(f"{name} is empty", "a file with content", "choose another file")
    if size > settings.upload_max_mb * _MB:
        raise UsageError(
            f"{name} has {size / _MB:,.0f} MB",
            f"at most {settings.upload_max_mb:,} MB",
            "cut it to the area you need, or raise MINEDISC_UPLOAD_MAX_MB",
        )


def is_zip(path: Path) -> bool:
    """Whether the content (not the name) is a zip."""
    return zipfile.is_zipfile(path)


def safe_unzip(path: Path, into: Path, settings: Settings) -> list[Path]:
    """Unpack a zip into a new folder below `into`; sub-folders are kept.

    Returns:
        The unpacked files in the order of the zip. On any error nothing stays behind.

    Raises:
        UsageError: not a zip, damaged, encrypted; too many entries; too large once expanded (declared
            or real); a name that leaves the folder, repeats another or is a link.
    """
    into.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="unzipped-", dir=into))
    try:
        return _unpack(path, folder, settings)
    except _BROKEN_ZIP as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(
            f"{path.name} is not a zip that can be unpacked: {error}", "a whole zip without password", "zip it again"
        ) from error
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(
            f"{path.name} could not be unpacked: {error.strerror or error}", "a readable zip and free disk space"
        ) from error
    except UsageError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(path: Path, folder: Path, settings: Settings) -> list[Path]:
    _check_entry_marks(path, settings)
    unpacked: list[Path] = []
    left = settings.zip_max_expanded_mb * _MB
    with zipfile.ZipFile(path) as archive:
        entries = _checked_entries(archive, path.name, settings)
        for entry, relative in entries:
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= _copy(archive, entry, target, left, path.name, settings)
            unpacked.append(target)
    return unpacked


def _check_entry_marks(path: Path, settings: Settings) -> None:
    """Count the directory's marks in the raw bytes: a directory of millions must not even be parsed."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise zipfile.BadZipFile("the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            position, count = content.find(_ENTRY_MARK), 0
            while position >= 0 and count <= settings.zip_max_entries:
                count += 1
                position = content.find(_ENTRY_MARK, position + 4)
    if count > settings.zip_max_entries:
        raise UsageError(
            f"{path.name} holds more than {settings.zip_max_entries:,} entries",
            f"at most {settings.zip_max_entries:,}",
            "zip only the files of one layer, or raise MINEDISC_ZIP_MAX_ENTRIES",
        )


def _checked_entries(
    archive: zipfile.ZipFile, name: str, settings: Settings
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    declared = sum(entry.file_size for entry in archive.infolist())
    if declared > settings.zip_max_expanded_mb * _MB:
        raise _too_large(name, settings)
    chosen: dict[str, tuple[zipfile.ZipInfo, PurePosixPath]] = {}
    for entry in archive.infolist():
        relative = _safe_name(entry, name)
        if entry.is_dir() or relative.name == "":
            continue
        key = str(relative).casefold()
        if key in chosen:
            raise UsageError(f"{name} holds {str(relative)!r} twice", "each name once", "zip it again")
        chosen[key] = (entry, relative)
    return list(chosen.values())


def _safe_name(entry: zipfile.ZipInfo, name: str) -> PurePosixPath:
    """The entry's path below the folder; Windows separators are understood."""
    text = entry.filename.replace("\\", "/")
    relative = PurePosixPath(text)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    escapes = relative.is_absolute() or ".." in relative.parts or (relative.parts and ":" in relative.parts[0])
    if escapes or not text.isprintable():
        raise UsageError(f"{name} holds the path {entry.filename!r}", "plain relative paths", "zip it again")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UsageError(f"{name} holds {text!r}, a link or device", "plain files only", "zip the files themselves")
    if entry.flag_bits & 0x1:
        raise UsageError(f"{name} is encrypted", "a zip without password", "zip it again without a password")
    if any(len(part.encode()) > _LONGEST_NAME for part in relative.parts):
        raise UsageError(f"{name} holds a name of over {_LONGEST_NAME} bytes", "shorter names", "rename the files")
    return relative


def _copy(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int, name: str, settings: Settings
) -> int:
    """Unpack one entry, counting what really comes out; the number of bytes written."""
    written = 0
    with archive.open(entry) as source, target.open("xb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > left:
                raise _too_large(name, settings)
            out.write(chunk)
    return written


def _too_large(name: str, settings: Settings) -> UsageError:
    return UsageError(
        f"{name} expands to more than {settings.zip_max_expanded_mb:,} MB",
        f"at most {settings.zip_max_expanded_mb:,} MB unpacked",
        "cut it to the area you need, or raise MINEDISC_ZIP_MAX_EXPANDED_MB",
    )
