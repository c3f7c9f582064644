"""Finished blocks on disk: what was kept comes back exactly, and what is damaged counts as not there."""

import io
import resource
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.errors import RunError
from minedisc_core.grid import PixelWindow
from minedisc_core.imagery.composites.blocks import BlockFiles, cut, joined
from minedisc_core.imagery.composites.source import Block

WINDOW = PixelWindow(1024, 2048, 20, 30)


def block(bands=3, problems=(), seed=0):
    numbers = np.random.default_rng(seed)
    values = numbers.integers(0, 65_536, (20, 30, bands)).astype(np.uint16)
    return Block(values, numbers.integers(0, 300, (20, 30)).astype(np.uint16), problems)


@given(st.lists(st.text(max_size=30), max_size=4), st.integers(1, 13))
def test_a_block_comes_back_as_it_was_kept(tmp_path_factory, problems, bands):
    files, kept = BlockFiles(tmp_path_factory.mktemp("blocks")), block(bands, tuple(problems))
    files.save(WINDOW, kept)
    found = files.load(WINDOW, bands)
    assert np.array_equal(found.values, kept.values)
    assert np.array_equal(found.looks, kept.looks)
    assert found.problems == kept.problems
    assert [path.name for path in files.folder.iterdir()] == ["001024_002048.npz"]


def test_a_block_that_was_cut_is_joined_again_and_what_is_missing_is_no_data():
    whole = block(problems=("x: gone",))
    top, bottom = PixelWindow(1024, 2048, 8, 30), PixelWindow(1032, 2048, 12, 30)
    parts = {part: cut(whole, WINDOW, part, with_problems=part == top) for part in (top, bottom)}
    again = joined(WINDOW, parts)
    assert np.array_equal(again.values, whole.values)
    assert np.array_equal(again.looks, whole.looks)
    assert again.problems == ("x: gone",)
    half = joined(WINDOW, {bottom: parts[bottom]})
    assert not half.values[:8].any()
    assert not half.looks[:8].any()
    assert np.array_equal(half.values[8:], whole.values[8:])


def test_what_was_not_kept_is_not_there(tmp_path):
    files = BlockFiles(tmp_path / "not yet")
    assert files.is_empty
    assert files.load(WINDOW, 3) is None
    files.save(WINDOW, block())
    assert not files.is_empty
    assert files.load(PixelWindow(0, 2048, 20, 30), 3) is None
    files.forget()
    assert files.is_empty


@pytest.mark.parametrize(
    ("window", "bands"), [(WINDOW, 12), (PixelWindow(1024, 2048, 21, 30), 3), (PixelWindow(1024, 2048, 30, 20), 3)]
)
def test_a_block_of_another_shape_is_none(tmp_path, window, bands):
    files = BlockFiles(tmp_path)
    files.save(WINDOW, block())
    assert files.load(window, bands) is None


@given(st.data())
def test_a_file_cut_off_or_with_changed_bytes_is_none_or_unchanged_and_is_never_an_error(tmp_path_factory, data):
    files, kept = BlockFiles(tmp_path_factory.mktemp("blocks")), block(problems=("x: gone",))
    files.save(WINDOW, kept)
    path = next(files.folder.iterdir())
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(1, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    found = files.load(WINDOW, 3)
    if found is not None:
        assert np.array_equal(found.values, kept.values)
        assert np.array_equal(found.looks, kept.looks)
        assert found.problems == kept.problems


def test_every_byte_of_the_archives_own_bookkeeping_may_be_wrong(tmp_path):
    files, kept = BlockFiles(tmp_path), block(1)
    files.save(WINDOW, kept)
    path = next(tmp_path.iterdir())
    whole = path.read_bytes()
    for place in [*range(200), *range(len(whole) - 260, len(whole))]:
        for value in (0, 1, 99, 255):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            found = files.load(WINDOW, 1)
            assert found is None or np.array_equal(found.values, kept.values), (place, value)


def foreign_files():
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    words = io.BytesIO()
    np.savez(
        words, values=np.zeros((20, 30, 3), np.uint16), looks=np.zeros((20, 30), np.uint16), problems=np.uint8([53])
    )
    floats = io.BytesIO()
    np.savez(floats, values=np.zeros((20, 30, 3)), looks=np.zeros((20, 30)), problems=np.frombuffer(b"[]", np.uint8))
    lacking = io.BytesIO()
    np.savez(lacking, values=np.zeros((20, 30, 3), np.uint16))
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("values", "no array")
    pickled = io.BytesIO()
    np.savez(pickled, values=np.array([{}], object), looks=1, problems=2)
    made = {"one array": plain, "no list of problems": words, "floats": floats, "lacking": lacking, "zip": other}
    return {name: file.getvalue() for name, file in {**made, "pickled": pickled}.items()} | {
        "empty": b"",
        "text": b"hello",
    }


@pytest.mark.parametrize("name", foreign_files())
def test_a_foreign_file_is_no_block(tmp_path, name):
    files = BlockFiles(tmp_path)
    files.save(WINDOW, block())
    next(tmp_path.iterdir()).write_bytes(foreign_files()[name])
    assert files.load(WINDOW, 3) is None


def test_what_a_killed_process_left_half_written_is_swept_and_blocks_stay(tmp_path):
    files = BlockFiles(tmp_path / "blocks")
    files.sweep()
    files.save(WINDOW, block())
    (files.folder / ".000000_000000.npz.abcd").write_bytes(b"half")
    files.sweep()
    assert [path.name for path in files.folder.iterdir()] == ["001024_002048.npz"]


def test_a_full_disk_leaves_no_part_of_a_block_and_is_told(tmp_path):
    files = BlockFiles(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"could not be written.*free disk space"):
            files.save(WINDOW, block())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="could not be written"):
        BlockFiles(tmp_path / "file").save(WINDOW, block())
