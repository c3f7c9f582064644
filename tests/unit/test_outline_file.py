"""The file of outlines: one site is found without the others, and the whole is plain JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minedisc_core.errors import ImageryError
from minedisc_core.imagery.outline_file import OUTLINES, outlines_as_json, read_outline, read_outlines

RUN = "20260101-000000-0000"


def written(folder: Path, count: int) -> dict[str, dict[str, object]]:
    found = {
        f"{RUN}-{n:04d}": {"size_px": 201, "rings": [[n, 2.5]] * (n % 7), "source": "ç, \n}"} for n in range(count)
    }
    (folder / OUTLINES).write_bytes(outlines_as_json(found))
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 10, 10_050])
def test_every_site_is_found_by_itself(tmp_path: Path, count: int) -> None:
    found = written(tmp_path, count)
    names = list(found)
    for name in {*names[:60], *names[-60:], *names[:: max(1, count // 50)]}:
        assert read_outline(tmp_path, name) == found[name]
    assert read_outlines(tmp_path) == found


@pytest.mark.parametrize("count", [0, 1, 12])
def test_a_site_that_is_not_there_has_no_outline(tmp_path: Path, count: int) -> None:
    written(tmp_path, count)
    for name in ("", "0", f"{RUN}-0999", "z" * 40, f"{RUN}-00005"):
        assert read_outline(tmp_path, name) == {}


def test_no_file_is_no_outline(tmp_path: Path) -> None:
    assert read_outline(tmp_path, "x") == {}


def test_a_file_on_one_line_is_read_too_and_read_anew_once_it_changes(tmp_path: Path) -> None:
    path = tmp_path / OUTLINES
    path.write_text(json.dumps({"a": {"size_px": 1}}))
    assert read_outline(tmp_path, "a") == {"size_px": 1}
    path.write_bytes(outlines_as_json({"a": {"size_px": 2}}))
    assert read_outline(tmp_path, "a") == {"size_px": 2}


@pytest.mark.parametrize("content", [b"{\nnonsense\n}\n", b'{\n"a" {}\n}\n', b"{\n[1]\n}\n", b'{\n"a": 1, "b": 2\n}\n'])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / OUTLINES).write_bytes(content)
    with pytest.raises(ImageryError, match=r"outlines\.json cannot be read"):
        read_outline(tmp_path, "a-0001")
