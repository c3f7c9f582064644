"""Where results of tiles are kept: folders and object stores, whole or not at all, and never with credentials."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.detection.scan import TileResult
from minedisc_core.errors import RunError, UsageError
from minedisc_core.grid import Tile
from minedisc_core.jobs.places import Bucket, Folder, checked_results, place_of
from minedisc_core.jobs.tiles import TileFiles


def places(tmp_path):
    """A folder, a store with one PUT, and one in which a scratch file gets its name at the end."""
    token = secrets.token_hex(4)
    return [
        Folder(tmp_path / token),
        Bucket(f"memory://{token}/run/tiles"),
        Bucket(f"local://{tmp_path}/elsewhere-{token}/run/tiles"),
    ]


@given(st.dictionaries(st.from_regex(r"[0-9]{6}_[0-9]{6}\.npz", fullmatch=True), st.binary(max_size=50), max_size=5))
def test_what_was_written_is_read_and_listed_and_can_be_taken_away(tmp_path, files):
    for place in places(tmp_path):
        assert place.names() == set()
        for name, content in files.items():
            place.write(name, b"older")
            place.write(name, content)
        assert place.names() == set(files)
        assert {name: place.read(name) for name in files} == files
        for name in files:
            place.remove(name)
            place.remove(name)
            assert place.read(name) is None
        assert place.names() == set()


def test_scratch_files_are_no_results_and_are_swept(tmp_path):
    for place in places(tmp_path):
        place.write("a.npz", b"whole")
        place.write(".b.npz.1234", b"half")
        assert place.names() == {"a.npz"}
        place.sweep()
        assert place.read(".b.npz.1234") is None
        assert place.read("a.npz") == b"whole"


def test_a_store_that_breaks_off_leaves_no_file_under_the_name(tmp_path, monkeypatch):
    place = Bucket(f"local://{tmp_path}/tiles")

    def breaks_off(self, path, value, **_):
        Path(path).write_bytes(value[:3])
        raise OSError("connection reset")

    monkeypatch.setattr(LocalFileSystem, "pipe_file", breaks_off)
    with pytest.raises(RunError, match="could not be written: OSError: connection reset"):
        place.write("a.npz", b"whole content")
    assert place.read("a.npz") is None
    assert place.names() == set()
    place.sweep()
    assert list((tmp_path / "tiles").iterdir()) == []


def test_tiles_are_kept_in_a_store_as_in_a_folder(tmp_path):
    tile = Tile(3, 5, 0, 4)
    result = TileResult(np.random.default_rng(0).normal(size=(2, 4, 64)).astype("f4"), np.ones((22, 40), np.uint8))
    for place in places(tmp_path):
        files = TileFiles(place)
        assert files.load(tile) is None
        files.save(tile, result)
        np.testing.assert_array_equal(files.load(tile).features, result.features)
        place.write("000000_000000.npz", b"PK\x03\x04 torn")
        assert files.load(Tile(0, 2, 0, 4)) is None
        assert files.names() == {"000003_000000", "000000_000000"}
        assert files.clear() == 2
        assert files.names() == set()


@pytest.mark.parametrize(
    "text",
    [
        "s3://key:secret@bucket/folder",
        "sftp://ana:secret@host/folder",
        "https://host/folder?X-Amz-Signature=secret",
        "s3://bucket/folder#secret",
        "nosuch://bucket/folder",
        "s3://",
    ],
)
def test_a_url_with_credentials_or_of_no_known_kind_is_refused_without_being_repeated(text):
    with pytest.raises(UsageError) as error:
        checked_results(text)
    assert "secret" not in str(error.value)


def test_results_are_kept_by_the_runs_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_of(tmp_path / "run", None, "r1") == Folder(tmp_path / "run" / "tiles")
    assert place_of(tmp_path / "run", checked_results("shared"), "r1") == Folder(tmp_path / "shared" / "r1" / "tiles")
    assert place_of(tmp_path / "run", checked_results(f"file://{tmp_path}"), "r1") == Folder(tmp_path / "r1" / "tiles")
    bucket = place_of(tmp_path / "run", checked_results("s3://bucket/folder/"), "r1")
    assert bucket == Bucket("s3://bucket/folder/r1/tiles")


def test_a_store_whose_driver_is_not_installed_says_what_to_install():
    with pytest.raises(RunError, match=r"needs a package that is not installed .*What to do: install it \(s3fs"):
        Bucket("adl://store/folder").names()
