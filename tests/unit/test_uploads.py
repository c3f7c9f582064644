"""Uploads that are too large, broken or hostile."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from minedisc_core.errors import UsageError
from minedisc_core.settings import Settings
from minedisc_core.uploads import check_upload, is_zip, safe_unzip


def zipped(path: Path, entries: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_zip_unpacks_with_its_sub_folders(tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {"MG/titles.shp": b"shape", "MG/títulos.dbf": b"table", "empty/": b""})
    files = safe_unzip(path, tmp_path / "out", settings)
    assert [file.name for file in files] == ["titles.shp", "títulos.dbf"]
    assert files[0].read_bytes() == b"shape"
    assert all(file.parent.name == "MG" and (tmp_path / "out") in file.parents for file in files)


def test_windows_separators_make_sub_folders(tmp_path: Path, settings: Settings) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("folder/name.shp", b"x")
    path = tmp_path / "in.zip"
    path.write_bytes(content.getvalue().replace(b"folder/name.shp", b"folder\\name.shp"))
    assert safe_unzip(path, tmp_path / "out", settings)[0].parent.name == "folder"


@pytest.mark.parametrize("name", ["../up.shp", "a/../../up.shp", "/etc/up.shp", "C:/up.shp", "..\\up.shp", "a\nb.shp"])
def test_a_name_that_leaves_the_folder_is_refused(name: str, tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {"good.shp": b"x", name: b"x"})
    with pytest.raises(UsageError, match="plain relative paths"):
        safe_unzip(path, tmp_path / "out", settings)
    assert left_behind(tmp_path / "out") == []
    assert not (tmp_path / "up.shp").exists()


def test_a_link_is_refused(tmp_path: Path, settings: Settings) -> None:
    link = zipfile.ZipInfo("link.shp")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UsageError, match="link or device"):
        safe_unzip(path, tmp_path / "out", settings)


def test_one_name_twice_is_refused_whatever_its_case(tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {"a.shp": b"x", "A.SHP": b"y"})
    with pytest.raises(UsageError, match="twice"):
        safe_unzip(path, tmp_path / "out", settings)


def test_a_declared_bomb_is_refused_before_anything_is_written(tmp_path: Path, settings: Settings) -> None:
    small = replace(settings, zip_max_expanded_mb=1)
    path = zipped(tmp_path / "in.zip", {"a.shp": bytes(700_000), "b.shp": bytes(700_000)})
    with pytest.raises(UsageError, match="at most 1 MB unpacked"):
        safe_unzip(path, tmp_path / "out", small)
    assert left_behind(tmp_path / "out") == []


def test_a_bomb_that_declares_little_is_stopped_while_unpacking(tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {"a.shp": bytes(5_000_000)})
    raw = path.read_bytes()
    lied = raw.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 500))
    path.write_bytes(lied)
    with pytest.raises(UsageError):
        safe_unzip(path, tmp_path / "out", replace(settings, zip_max_expanded_mb=1))
    assert left_behind(tmp_path / "out") == []


def test_what_comes_out_counts_and_not_what_is_declared(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "in.zip", {"a.shp": bytes(3_000_000)})
    entries = zipfile.ZipFile.infolist

    def lying(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        honest = entries(archive)
        for entry in honest:
            monkeypatch.setattr(entry, "file_size", 10, raising=False)
        return honest

    def endless(self: zipfile.ZipFile, entry: zipfile.ZipInfo) -> io.BytesIO:
        return io.BytesIO(bytes(3_000_000))

    monkeypatch.setattr(zipfile.ZipFile, "infolist", lying)
    monkeypatch.setattr(zipfile.ZipFile, "open", endless)
    with pytest.raises(UsageError, match="expands to more than 1 MB"):
        safe_unzip(path, tmp_path / "out", replace(settings, zip_max_expanded_mb=1))
    assert left_behind(tmp_path / "out") == []


def test_too_many_entries_are_refused(tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {f"{i}.txt": b"" for i in range(12)})
    assert len(safe_unzip(path, tmp_path / "out", replace(settings, zip_max_entries=12))) == 12
    with pytest.raises(UsageError, match="more than 11 entries"):
        safe_unzip(path, tmp_path / "out", replace(settings, zip_max_entries=11))


def test_an_encrypted_zip_is_refused(tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {"a.shp": b"x"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(UsageError, match="password"):
        safe_unzip(path, tmp_path / "out", settings)


@pytest.mark.parametrize("cut", [0, 1, 30, 60, 90])
def test_a_damaged_zip_is_an_error_and_leaves_nothing(cut: int, tmp_path: Path, settings: Settings) -> None:
    whole = zipped(tmp_path / "in.zip", {"a.shp": os.urandom(200), "b.dbf": os.urandom(200)}).read_bytes()
    (tmp_path / "in.zip").write_bytes(whole[: len(whole) * cut // 100])
    with pytest.raises(UsageError):
        safe_unzip(tmp_path / "in.zip", tmp_path / "out", settings)
    assert left_behind(tmp_path / "out") == []


def test_a_wrong_checksum_is_an_error(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.shp", b"the content")
    path.write_bytes(path.read_bytes().replace(b"the content", b"THE content"))
    with pytest.raises(UsageError, match="not a zip that can be unpacked"):
        safe_unzip(path, tmp_path / "out", settings)


def test_a_very_long_name_is_refused(tmp_path: Path, settings: Settings) -> None:
    path = zipped(tmp_path / "in.zip", {"á" * 150 + ".shp": b"x"})
    with pytest.raises(UsageError, match="shorter names"):
        safe_unzip(path, tmp_path / "out", settings)


def test_content_decides_what_is_a_zip(tmp_path: Path) -> None:
    named = tmp_path / "named.zip"
    named.write_bytes(b"no zip at all")
    assert not is_zip(named)
    assert is_zip(zipped(tmp_path / "other.dat", {"a": b"x"}))


def test_an_upload_is_checked_by_size(settings: Settings) -> None:
    check_upload("dams.csv", 1, settings)
    check_upload("dams.csv", settings.upload_max_mb * 1_000_000, settings)
    with pytest.raises(UsageError, match="empty"):
        check_upload("dams.csv", 0, settings)
    with pytest.raises(UsageError, match="MINEDISC_UPLOAD_MAX_MB"):
        check_upload("dams.csv", settings.upload_max_mb * 1_000_000 + 1, settings)
