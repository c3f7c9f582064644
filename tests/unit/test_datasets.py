from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minedisc_core.domain import ProductLevel
from minedisc_core.errors import StoreError
from minedisc_core.learning.datasets import SampleEntry, check_dataset, open_dataset, read_windows, write_dataset

BANDS = ("B2", "B3", "B4")
Pairs = list[tuple[SampleEntry, np.ndarray]]


def made_up(count: int = 4) -> Pairs:
    random = np.random.default_rng(5)
    return [
        (
            SampleEntry(
                f"s{n}",
                "mine" if n % 2 else "background",
                lon=-44.0 + n,
                lat=-20.0,
                reason=None if n % 2 else "random",
                source="mines.csv",
            ),
            random.integers(1, 9000, (21, 21, 3)).astype(np.uint16),
        )
        for n in range(count)
    ]


def write(folder: Path, pairs: Pairs, **more: object):  # type: ignore[no-untyped-def]  # what write_dataset gives
    given = {"bands": BANDS, "level": ProductLevel.L1C, "window_px": 21, **more}
    return write_dataset(folder, pairs, **given)  # type: ignore[arg-type]  # any argument by name


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    pairs = made_up()
    made = write(tmp_path / "v1", pairs)
    opened = open_dataset(tmp_path / "v1")
    assert opened == made
    assert (opened.version, opened.window_px, opened.level, opened.bands) == ("v1", 21, ProductLevel.L1C, BANDS)
    np.testing.assert_array_equal(read_windows(opened), np.stack([pixels for _, pixels in pairs]))
    assert [(s.label, s.reason, s.source, s.split) for s in opened.samples[:2]] == [
        ("background", "random", "mines.csv", ""),
        ("mine", None, "mines.csv", ""),
    ]


def test_windows_come_in_the_order_and_bands_asked_for(tmp_path: Path) -> None:
    pairs = made_up()
    made = write(tmp_path / "v1", pairs)
    found = read_windows(made, ["B4", "B2"], [3, 0])
    np.testing.assert_array_equal(found, np.stack([pairs[3][1], pairs[0][1]])[..., [2, 0]])
    with pytest.raises(StoreError, match="has no B9"):
        read_windows(made, ["B9"])


def test_the_same_inputs_give_the_same_hash_whatever_order_folder_and_day(tmp_path: Path) -> None:
    one = write(tmp_path / "one", made_up())
    renamed = [(replace(e, sample_id=f"x{e.sample_id}", source="copy.csv", facts={"at": 1}), p) for e, p in made_up()]
    other = write(tmp_path / "two" / "other", renamed[::-1], more={"note": "later"})
    assert one.hash == other.hash
    assert len(one.hash) == 64


@pytest.mark.parametrize("change", ["label", "reason", "place", "split", "lon", "pixels", "level", "bands", "count"])
def test_whatever_decides_the_content_changes_the_hash(tmp_path: Path, change: str) -> None:
    before = write(tmp_path / "before", made_up()).hash
    pairs = made_up(3 if change == "count" else 4)
    more: dict[str, object] = {"level": {"level": ProductLevel.L2A}, "bands": {"bands": BANDS[::-1]}}.get(change, {})  # type: ignore[assignment]  # of either kind
    if change == "pixels":
        pairs[1][1][3, 4, 1] += 1
    elif change in ("label", "reason", "place", "split"):
        pairs[1] = (replace(pairs[1][0], **{change: "other"}), pairs[1][1])
    elif change == "lon":
        pairs[1] = (replace(pairs[1][0], lon=-43.00001), pairs[1][1])
    assert write(tmp_path / "after", pairs, **more).hash != before


def test_places_are_filled_in_and_given_ones_are_kept(tmp_path: Path) -> None:
    pairs = made_up(3)
    pairs[1] = (replace(pairs[1][0], lon=-44.001), pairs[1][1])
    pairs[2] = (replace(pairs[2][0], place="scene 7"), pairs[2][1])
    assert [s.place for s in write(tmp_path / "v1", pairs).samples] == ["-20.00000-044.00100"] * 2 + ["scene 7"]


def test_the_files_of_a_version_are_read_only_and_nothing_else_is_left(tmp_path: Path) -> None:
    write(tmp_path / "v1", made_up())
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "v1").iterdir()} == {"0o444"}
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_version_is_never_written_over(tmp_path: Path) -> None:
    before = write(tmp_path / "v1", made_up())
    with pytest.raises(StoreError, match="is there already"):
        write(tmp_path / "v1", made_up(2))
    assert open_dataset(tmp_path / "v1") == before


def test_a_source_of_samples_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[tuple[SampleEntry, np.ndarray]]:
        yield made_up()[0]
        raise StoreError("the mosaic is gone")

    with pytest.raises(StoreError, match="mosaic is gone"):
        write(tmp_path / "v1", failing())  # type: ignore[arg-type]  # any iterable
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([], "there is none"),
        (made_up(1) * 2, "Two samples are called s0"),
        ([(replace(made_up()[0][0], sample_id="../../s"), made_up()[0][1])], "cannot name a sample"),
        ([(made_up()[0][0], made_up()[0][1][:20])], "same side and bands"),
        ([(made_up()[0][0], made_up()[0][1].astype(float))], "same side and bands"),
    ],
)
def test_wrong_samples_are_refused_by_name(tmp_path: Path, pairs: Pairs, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        write(tmp_path / "v1", pairs)
    assert list(tmp_path.iterdir()) == []


def spoil(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_changed_file_is_noticed_and_can_be_passed_over(tmp_path: Path) -> None:
    made = write(tmp_path / "v1", made_up())
    spoil(tmp_path / "v1" / "s1.npz", b"other")
    with pytest.raises(StoreError, match=r"s1\.npz was changed"):
        open_dataset(tmp_path / "v1")
    assert open_dataset(tmp_path / "v1", check_files=False) == made
    with pytest.raises(StoreError, match=r"s1\.npz cannot be read"):
        read_windows(made)


@pytest.mark.parametrize(("name", "value"), [("label", "background"), ("split", "training"), ("pixels_sha256", "0")])
def test_a_changed_manifest_is_noticed(tmp_path: Path, name: str, value: str) -> None:
    write(tmp_path / "v1", made_up())
    manifest = json.loads((tmp_path / "v1" / "manifest.json").read_text())
    manifest["samples"][1][name] = value
    spoil(tmp_path / "v1" / "manifest.json", json.dumps(manifest).encode())
    with pytest.raises(StoreError, match=r"manifest\.json was changed"):
        open_dataset(tmp_path / "v1", check_files=False)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 3}', '{"format": 2, "samples": 4}', '{"format": 1}'])
def test_what_is_no_dataset_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match="not a whole dataset"):
        open_dataset(tmp_path)
    with pytest.raises(StoreError, match="not a whole dataset"):
        open_dataset(tmp_path / "nowhere")


def write_format_1(folder: Path, lons: list[float]) -> np.ndarray:
    """A version as minedisc wrote it before there were places."""
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(1, 9000, (len(lons), 255, 255, 3)).astype(np.uint16)
    rows = []
    for index, lon in enumerate(lons):
        facts = {"sample_id": f"a{index}", "candidate_id": "c", "run_id": "r1", "lon": lon, "lat": -20.0,
                 "bands": list(BANDS), "level": "L2A", "source": "files"}  # fmt: skip
        np.savez_compressed(folder / f"a{index}.npz", pixels=pixels[index], facts=np.array(json.dumps(facts)))
        digest = hashlib.sha256((folder / f"a{index}.npz").read_bytes()).hexdigest()
        rows.append({**facts, "file": f"a{index}.npz", "sha256": digest, "label": "mine", "reason": None})
    content = {"format": 1, "version": folder.name, "made_at_utc": "2026-01-01T00:00:00", "window_px": 255,
               "by_label": {"mine": len(lons)}, "samples": rows}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(content))
    return pixels


def test_a_version_of_format_1_stays_readable_with_places_and_a_hash(tmp_path: Path) -> None:
    pixels = write_format_1(tmp_path / "v0001", [-44.0, -43.0, -44.001])
    opened = open_dataset(tmp_path / "v0001", check_files=False)
    np.testing.assert_array_equal(read_windows(opened, ["B4", "B3"]), pixels[..., [2, 1]])
    assert [s.place for s in opened.samples] == [
        "-20.00000-044.00100",
        "-20.00000-043.00000",
        "-20.00000-044.00100",
    ]
    assert (opened.level, opened.bands, opened.samples[0].source) == (ProductLevel.L2A, BANDS, "r1")
    again = write(tmp_path / "v2", list(zip(opened.samples, read_windows(opened), strict=True)),
                  level=ProductLevel.L2A, window_px=255)  # fmt: skip
    assert again.hash == opened.hash
    assert check_dataset(tmp_path / "v0001")["format"] == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        write(tmp_path / "file" / "v1", made_up())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
