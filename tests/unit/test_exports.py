from __future__ import annotations

import csv
import dataclasses
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shapely import box

from minedisc_core.bench.made_up import made_up_matches, made_up_sites, made_up_summary
from minedisc_core.domain import Impact, LandMatch, NearestDam, NearestRiver, Reason, RegisterStatus, Status, TitleMatch
from minedisc_core.errors import StoreError, UsageError
from minedisc_core.exports import CAUTION, COLUMNS, FORMATS, export, exported
from minedisc_core.exports.table import safe_cell
from minedisc_core.review import new_verdict
from minedisc_core.store import CandidateFilter, Store

RUN = "20260101-000000-aaaa"
NASTY = 'Mina "São João" & Filhos <Ltda> d\'Água; a,b'
RING = box(-44, -20, -43.99, -19.99).difference(box(-43.997, -19.997, -43.993, -19.993))
PARTS = shapely.MultiPolygon([RING, box(-43.98, -20, -43.97, -19.99)])
KML = "{http://www.opengis.net/kml/2.2}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Four candidates, one per register status, then a rejected and a discarded one; the first has every nasty name."""
    sites, matches = made_up_sites(6, run_id=RUN), made_up_matches(6)
    for place, status in enumerate(RegisterStatus):
        matches[place] = dataclasses.replace(matches[place], status=status)
    nothing = list(RegisterStatus).index(RegisterStatus.NOTHING_FOUND)
    matches[nothing] = dataclasses.replace(
        matches[nothing],
        nearest_dam=NearestDam(NASTY, '=HYPERLINK("http://x")', 12.34, "sigbm"),
        titles=(TitleMatch("830.1/2019", NASTY, False, NASTY, NASTY, 0.5),),
        lands=(LandMatch(NASTY, "Indígena", 0.5),),
    )
    sites[nothing] = dataclasses.replace(sites[nothing], polygon=PARTS)
    sites[5] = dataclasses.replace(sites[5], discarded=True)
    with Store.in_memory() as opened:
        opened.take_in(made_up_summary(6, RUN), tmp_path / "run", sites, matches)
        opened.record([new_verdict(site.site_id, Status.CONFIRMED, "-43.9", notes="@SUM(A1)") for site in sites[:4]])
        opened.record([new_verdict(sites[4].site_id, Status.REJECTED, reason=Reason.BURN)])
        yield opened


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_layers(path: Path) -> dict[str, gpd.GeoDataFrame]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: pyogrio.read_dataframe(path, layer=name) for name, _ in pyogrio.list_layers(path)}


def parse_kml(path: Path) -> ElementTree.Element:
    """The Document element."""
    return ElementTree.parse(path).getroot()[0]  # noqa: S314  # a file we wrote ourselves


def unregistered(store: Store) -> set[str]:
    wanted = (RegisterStatus.NOTHING_FOUND, RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT)
    return {c.candidate_id for c in store.candidates() if c.status == "confirmed" and c.match.status in wanted}


def read_any(path: Path, kind: str) -> list[dict[str, Any]]:
    if kind == "csv":
        return read_csv(path)
    if kind == "parquet":
        return list(gpd.read_parquet(path).to_dict("records"))
    return [row for layer in read_layers(path).values() for row in layer.to_dict("records")]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_holds_the_confirmed_unregistered_ones(store: Store, tmp_path: Path, kind: str) -> None:
    result = export(store, tmp_path / f"out.{kind}", kind)
    rows = read_any(result.path, kind)
    assert result.rows == len(rows) == 2
    assert {row["candidate_id"] for row in rows} == unregistered(store)
    assert result.by_register_status == {"nothing_found": 1, "title_without_extraction_right": 1}


@pytest.mark.parametrize("kind", FORMATS)
def test_with_all_it_holds_every_undiscarded_one(store: Store, tmp_path: Path, kind: str) -> None:
    result = export(store, tmp_path / f"out.{kind}", kind, include_all=True)
    rows = read_any(result.path, kind)
    assert {row["candidate_id"] for row in rows} == set(store.candidate_ids())
    assert result.rows == len(rows) == 5


@pytest.mark.parametrize("kind", FORMATS)
def test_names_with_marks_and_accents_survive(store: Store, tmp_path: Path, kind: str) -> None:
    rows = read_any(export(store, tmp_path / f"out.{kind}", kind).path, kind)
    row = next(row for row in rows if row["register_status"] == "nothing_found")
    assert row["nearest_dam"] == NASTY
    assert row["lands"] == f"{NASTY} (Indígena)"
    assert row["titles"] == f"830.1/2019 ({NASTY}: may not extract)"
    assert row["registers_as_of"] == made_up_matches(1)[0].registers_as_of
    assert float(row["nearest_dam_distance_m"]) == 12.3


@pytest.mark.parametrize("kind", ["kml", "kmz", "gpkg", "parquet"])
def test_parts_and_holes_survive(store: Store, tmp_path: Path, kind: str) -> None:
    rows = read_any(export(store, tmp_path / f"out.{kind}", kind).path, kind)
    shape = next(row["geometry"] for row in rows if row["register_status"] == "nothing_found")
    assert shape.symmetric_difference(PARTS).area < 1e-10
    assert sum(len(part.interiors) for part in shape.geoms) == 1


@pytest.mark.parametrize("kind", FORMATS)
def test_a_change_stands_beside_the_dates_it_was_measured_against(tmp_path: Path, kind: str) -> None:
    other = {"a": (date(2018, 1, 1), date(2018, 12, 31)), "b": (date(2024, 1, 1), date(2024, 12, 31))}
    with Store.in_memory() as store:
        for run, dates in other.items():
            (tmp_path / run).mkdir()
            (tmp_path / run / "request.json").write_text('{"model_identity": "sha"}', "utf-8")
            size = {"cells": 4, "area_cells_ha": 29.16} if run == "a" else {"cells": 9, "area_cells_ha": 65.61}
            sites = [dataclasses.replace(site, **size) for site in made_up_sites(1, run_id=run)]
            store.take_in(made_up_summary(1, run, dates), tmp_path / run, sites, made_up_matches(1))
        path = export(store, tmp_path / f"out.{kind}", kind, include_all=True).path
    rows = {row["candidate_id"]: row for row in read_any(path, kind)}
    for own, against in (("a-0001", "b"), ("b-0001", "a")):
        row = rows[own]
        assert (row["change"], row["change_other_run_id"]) == ("grown", against)
        assert (row["change_other_start"], row["change_other_end"]) == tuple(day.isoformat() for day in other[against])
        assert (float(row["change_earlier_ha"]), float(row["change_later_ha"])) == (29.16, 65.61)
    if kind == "kml":
        assert "$[change_later_ha]" in path.read_text("utf-8")


@pytest.mark.parametrize("kind", FORMATS)
def test_no_candidate_gives_a_valid_empty_file(tmp_path: Path, kind: str) -> None:
    with Store.in_memory() as store:
        result = export(store, tmp_path / f"out.{kind}", kind)
    assert result.rows == 0
    assert read_any(result.path, kind) == []


@pytest.fixture(scope="module")
def thousands() -> Iterator[Store]:
    """2,100 candidates, 21 of them discarded."""
    with Store.in_memory() as store:
        store.take_in(made_up_summary(2_100, RUN), Path("x"), made_up_sites(2_100, run_id=RUN), made_up_matches(2_100))
        yield store


@pytest.mark.parametrize("kind", FORMATS)
def test_thousands_of_rows_come_through(thousands: Store, tmp_path: Path, kind: str) -> None:
    result = export(thousands, tmp_path / f"out.{kind}", kind, include_all=True, run_id=RUN)
    assert len(read_any(result.path, kind)) == result.rows == 2_079


@pytest.mark.parametrize("kind", FORMATS)
def test_every_file_says_what_it_is_not(store: Store, tmp_path: Path, kind: str) -> None:
    path = export(store, tmp_path / f"out.{kind}", kind, include_all=True).path
    rows = read_any(path, kind)
    if kind == "kmz":
        text = zipfile.ZipFile(path).read("doc.kml").decode()
    elif kind == "kml":
        text = path.read_text("utf-8")
    else:
        text = " ".join(str(row["note"]) for row in rows)
    assert CAUTION in text
    assert "illegal" not in text.lower() + " ".join(str(row["register_text"]) for row in rows).lower()
    assert all(row["registers_as_of"] for row in rows)


def test_the_csv_has_the_columns_people_count_on(store: Store, tmp_path: Path) -> None:
    rows = read_csv(export(store, tmp_path / "out.csv", "csv").path)
    wanted = "candidate_id lon lat status register_status impact score area_cells_ha verdict_by verdict_at_utc"
    assert {*wanted.split(), "registers_as_of", "model"} <= set(rows[0])
    assert list(rows[0]) == [column.name for column in COLUMNS]
    assert float(rows[0]["lon"]) < 0


def test_the_csv_runs_nothing_in_a_spreadsheet_and_numbers_stay_numbers(store: Store, tmp_path: Path) -> None:
    rows = read_csv(export(store, tmp_path / "out.csv", "csv").path)
    row = next(row for row in rows if row["register_status"] == "nothing_found")
    assert row["nearest_dam_owner"] == '\'=HYPERLINK("http://x")'
    assert row["notes"] == "'@SUM(A1)"
    assert row["verdict_by"] == "-43.9"
    assert row["lon"].startswith("-4")


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@x", "\tx", "\r=x", " =1", "--1", "-1+1", "＝1", "-"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "-43.9", "+5", "-1,5", "-.5", "-1e-3", "Mina -1", "a=b", "12"])
def test_numbers_and_plain_words_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@settings(max_examples=10)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_and_note_comes_through_kml_and_csv_readable(tmp_path_factory: Any, name: str, note: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    site, match = made_up_sites(1, run_id=RUN)[0], made_up_matches(1)[0]
    match = dataclasses.replace(match, nearest_dam=NearestDam(name, note, 1.0, name))
    with Store.in_memory() as store:
        store.take_in(made_up_summary(1, RUN), folder, [site], [match])
        store.record([new_verdict(site.site_id, Status.CONFIRMED, name, notes=note)])
        kml, table = (export(store, folder / f"out.{kind}", kind).path for kind in ("kml", "csv"))
    data = {d.get("name"): d[0].text or "" for d in parse_kml(kml).iter(f"{KML}Data")}
    row = read_csv(table)[0]
    for field in ("nearest_dam", "nearest_dam_owner", "verdict_by", "notes"):
        assert row[field] in (data[field], "'" + data[field])


def test_the_kml_has_a_folder_per_status_a_style_per_class_and_no_link(store: Store, tmp_path: Path) -> None:
    document = parse_kml(export(store, tmp_path / "out.kml", "kml", include_all=True).path)
    folders = [folder.get("id") for folder in document.findall(f"{KML}Folder")]
    assert folders == ["nothing_found", "title_without_extraction_right", "registered", "not_checked"]
    styles = [style.get("id") for style in document.iter(f"{KML}Style")]
    assert styles == [f"impact-{impact}" for impact in Impact]
    assert len({text.text for text in document.iter(f"{KML}text")}) == 1
    assert not list(document.iter(f"{KML}NetworkLink"))
    for mark in document.iter(f"{KML}Placemark"):
        assert 3000 <= float(mark.findtext(f"{KML}LookAt/{KML}range", "0")) <= 5000
        assert mark.findtext(f"{KML}TimeSpan/{KML}begin") == "2025-01-01"
        assert mark.findtext(f"{KML}styleUrl", "").removeprefix("#") in styles


def test_every_field_of_the_balloon_is_written_in_every_placemark(store: Store, tmp_path: Path) -> None:
    document = parse_kml(export(store, tmp_path / "out.kml", "kml", include_all=True).path)
    balloon = document.findtext(f"{KML}Style/{KML}BalloonStyle/{KML}text", "")
    for mark in document.iter(f"{KML}Placemark"):
        written = {data.get("name") for data in mark.iter(f"{KML}Data")}
        assert {part.split("]")[0] for part in balloon.split("$[")[1:]} - {"name", "description"} <= written


def test_not_checked_is_in_no_unregistered_folder(store: Store, tmp_path: Path) -> None:
    layers = read_layers(export(store, tmp_path / "out.kml", "kml", include_all=True).path)
    statuses = {name: set(layer["register_status"]) for name, layer in layers.items()}
    assert all(found == {"nothing_found"} for name, found in statuses.items() if "nothing_found" in name)
    assert [found for found in statuses.values() if "not_checked" in found] == [{"not_checked"}]


def test_what_is_not_confirmed_has_folders_of_its_own(store: Store, tmp_path: Path) -> None:
    document = parse_kml(export(store, tmp_path / "out.kml", "kml", include_all=True).path)
    inside = {
        folder.get("id"): {data.findtext(f"{KML}value") for data in folder.findall(f".//{KML}Data[@name='status']")}
        for folder in document.findall(f"{KML}Folder/{KML}Folder")
    }
    assert list(inside.values()) == [{"rejected"}]
    assert all(name.endswith("-rejected") for name in inside)
    direct = document.findall(f"{KML}Folder/{KML}Placemark/{KML}ExtendedData/{KML}Data[@name='status']/{KML}value")
    assert {value.text for value in direct} == {"confirmed"}


def test_a_kmz_carries_the_chips_beside_the_document(store: Store, tmp_path: Path) -> None:
    chips = tmp_path / "run" / "chips"
    chips.mkdir(parents=True)
    first = sorted(unregistered(store))[0]
    for kind in ("true_colour", "swir"):
        Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(chips / f"{first}_{kind}.webp")
    path = export(store, tmp_path / "out.kmz", "kmz").path
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert names == [f"chips/{first}_true_colour.jpg", f"chips/{first}_swir.jpg", "doc.kml"]
        text = archive.read("doc.kml").decode()
        assert archive.read(names[0])[:2] == b"\xff\xd8"
    assert text.count("chips/") == 2
    assert len(read_any(path, "kmz")) == 2


def test_a_broken_chip_does_not_break_the_export(store: Store, tmp_path: Path) -> None:
    chips = tmp_path / "run" / "chips"
    chips.mkdir(parents=True)
    (chips / f"{sorted(unregistered(store))[0]}_swir.webp").write_bytes(b"no picture")
    path = export(store, tmp_path / "out.kmz", "kmz").path
    assert zipfile.ZipFile(path).namelist() == ["doc.kml"]


def test_a_moved_point_is_the_place_in_the_file(store: Store, tmp_path: Path) -> None:
    name = sorted(unregistered(store))[0]
    store.record([new_verdict(name, Status.CONFIRMED, moved=(-44.123, -20.456))])
    rows = {row["candidate_id"]: row for row in read_csv(export(store, tmp_path / "out.csv", "csv").path)}
    assert (rows[name]["lon"], rows[name]["lat"], rows[name]["is_moved"]) == ("-44.123", "-20.456", "True")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left_behind(
    store: Store, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="could not be written"):
        export(store, tmp_path / "file" / f"out.{kind}", kind)
    with pytest.raises(StoreError, match="it is a folder"):
        export(store, tmp_path, kind)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_export_leaves_the_file_of_before(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    path = export(store, tmp_path / "out.csv", "csv").path
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        path.with_name("scratch").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export.__globals__["_WRITERS"], "csv", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        export(store, path, "csv")
    assert path.read_bytes() == before


def test_an_export_replaces_the_one_before(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.gpkg"
    for include_all, rows in ((True, 5), (False, 2)):
        export(store, path, "gpkg", include_all=include_all)
        assert len(pyogrio.read_dataframe(path)) == rows


def test_an_unknown_format_or_run_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="csv, kml, kmz, gpkg, parquet"):
        export(store, tmp_path / "x.shp", "shp")
    with pytest.raises(StoreError, match="was not taken in"):
        export(store, tmp_path / "x.csv", "csv", run_id="nothing")


def take_in_boxes(store: Store, run_id: str, day: int, boxes: list[shapely.Polygon], confirm: bool = True) -> None:
    """A run that finished on that day of January, one site per box, each confirmed and in no register."""
    sites = made_up_sites(len(boxes), run_id=run_id)
    sites = [dataclasses.replace(site, polygon=part) for site, part in zip(sites, boxes, strict=True)]
    matches = [dataclasses.replace(m, status=RegisterStatus.NOTHING_FOUND) for m in made_up_matches(len(boxes))]
    summary = dataclasses.replace(made_up_summary(len(boxes), run_id), finished_at_utc=datetime(2026, 1, day))
    store.take_in(summary, Path(run_id), sites, matches)
    if confirm:
        store.record([new_verdict(site.site_id, Status.CONFIRMED) for site in sites])


def exported_ids(store: Store, run_id: str | None = None) -> list[str]:
    return sorted(candidate.candidate_id for candidate in exported(store, run_id=run_id).candidates)


PLACE, ELSEWHERE = box(-44, -20, -43.99, -19.99), box(-43, -20, -42.99, -19.99)
R1, R2, R3 = "20260101-000000-aaaa", "20260102-000000-bbbb", "20260103-000000-cccc"


def test_a_place_of_three_runs_is_exported_once_by_its_newest_run(tmp_path: Path) -> None:
    with Store.in_memory() as store:
        take_in_boxes(store, R1, 1, [PLACE, ELSEWHERE])
        take_in_boxes(store, R2, 2, [PLACE], confirm=False)
        take_in_boxes(store, R3, 3, [PLACE], confirm=False)
        result = export(store, tmp_path / "out.csv", "csv")
        ids = [row["candidate_id"] for row in read_csv(result.path)]
        assert sorted(row[:20] for row in ids) == [R1, R3]
        assert (result.rows, result.repeats_left_out, result.by_register_status) == (2, 2, {"nothing_found": 2})
        every = export(store, tmp_path / "all.csv", "csv", include_all=True)
        assert (every.rows, every.repeats_left_out) == (4, 0)
        for run_id, rows in ((R1, 2), (R2, 1), (R3, 1)):
            one = export(store, tmp_path / "one.csv", "csv", run_id=run_id)
            assert (one.rows, one.repeats_left_out) == (rows, 0)


def test_an_older_run_that_is_taken_in_later_does_not_stand_for_the_place() -> None:
    with Store.in_memory() as store:
        take_in_boxes(store, R3, 3, [PLACE])
        take_in_boxes(store, R1, 1, [PLACE])
        assert [name[:20] for name in exported_ids(store)] == [R3]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.UNSURE])
def test_a_place_whose_newest_candidate_is_not_confirmed_stays(status: Status) -> None:
    with Store.in_memory() as store:
        take_in_boxes(store, R1, 1, [PLACE])
        take_in_boxes(store, R2, 2, [PLACE], confirm=False)
        newest = store.candidate_ids(CandidateFilter(run_id=R2))[0]
        store.record([new_verdict(newest, status, reason=Reason.BURN if status is Status.REJECTED else None)])
        assert [name[:20] for name in exported_ids(store)] == [R1]


def test_a_place_is_not_lost_between_two_others_that_it_does_not_touch() -> None:
    left, right = box(-44, -20, -43.99, -19.99), box(-43.98, -20, -43.97, -19.99)
    both = box(-44, -20, -43.97, -19.99)
    with Store.in_memory() as store:
        take_in_boxes(store, R1, 1, [left])
        take_in_boxes(store, R2, 2, [both])
        take_in_boxes(store, R3, 3, [right])
        assert [name[:20] for name in exported_ids(store)] == [R1, R3]


rows_of_boxes = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=3, unique=True)


@settings(max_examples=15, deadline=None)
@given(st.permutations([1, 2, 3]), st.tuples(rows_of_boxes, rows_of_boxes, rows_of_boxes))
def test_what_is_left_out_always_overlaps_something_newer_that_stays(
    days: list[int], runs: tuple[list[tuple[int, int]], ...]
) -> None:
    with Store.in_memory() as store:
        for day, parts in zip(days, runs, strict=True):
            boxes = [box(-44 + x / 100, -20, -44 + (x + w) / 100, -19.99) for x, w in parts]
            take_in_boxes(store, f"2026010{day}-000000-aaaa", day, boxes)
        kept, every = exported(store), exported(store, include_all=True)
        names = {candidate.candidate_id for candidate in kept.candidates}
        left_out = [candidate for candidate in every.candidates if candidate.candidate_id not in names]
        assert len(left_out) == kept.repeats_left_out
        for candidate in left_out:
            newer = [other for other in kept.candidates if other.run_id > candidate.run_id]
            assert any(other.site.polygon.intersection(candidate.site.polygon).area > 0 for other in newer)


DRAWN = box(-44.05, -20.05, -44.04, -20.04).difference(box(-44.047, -20.047, -44.043, -20.043))


def draw(store: Store, status: Status = Status.CONFIRMED) -> str:
    """Give the first unregistered candidate a verdict with an outline; its id."""
    name = min(unregistered(store))
    reason = Reason.BURN if status is Status.REJECTED else None
    store.record([new_verdict(name, status, "ana", reason=reason, footprint=DRAWN, moved=(-44.045, -20.045))])
    return name


@pytest.mark.parametrize("kind", FORMATS)
def test_both_areas_stand_in_every_format(store: Store, tmp_path: Path, kind: str) -> None:
    name = draw(store)
    rows = {row["candidate_id"]: row for row in read_any(export(store, tmp_path / f"out.{kind}", kind).path, kind)}
    drawn = rows.pop(name)
    assert float(drawn["area_drawn_ha"]) == pytest.approx(store.candidate(name).area_drawn_ha, abs=0.01)
    assert float(drawn["area_cells_ha"]) == 29.16
    assert (drawn["geometry_source"], float(drawn["lon"])) == ("drawn", -44.045)
    [other] = rows.values()
    assert other["geometry_source"] == "cells"
    assert other["area_drawn_ha"] in ("", None) or np.isnan(other["area_drawn_ha"])


@pytest.mark.parametrize("kind", ["gpkg", "parquet", "kml"])
def test_the_outline_drawn_with_a_confirmation_is_the_geometry(store: Store, tmp_path: Path, kind: str) -> None:
    name = draw(store)
    rows = read_any(export(store, tmp_path / f"out.{kind}", kind).path, kind)
    shown = {row["candidate_id"]: row["geometry"] for row in rows}
    assert shapely.normalize(shown.pop(name)).symmetric_difference(DRAWN).area < 1e-12
    [(other, cells)] = shown.items()
    assert cells.symmetric_difference(store.candidate(other).site.polygon).area < 1e-9


@pytest.mark.parametrize("status", [Status.UNSURE, Status.REJECTED])
def test_an_outline_of_what_is_not_confirmed_is_not_the_geometry(store: Store, tmp_path: Path, status: Status) -> None:
    name = draw(store, status)
    rows = read_any(export(store, tmp_path / "out.gpkg", "gpkg", include_all=True).path, "gpkg")
    [row] = [row for row in rows if row["candidate_id"] == name]
    assert (row["geometry_source"], row["area_drawn_ha"] > 0) == ("cells", True)
    assert row["geometry"].symmetric_difference(store.candidate(name).site.polygon).area < 1e-9


def test_the_description_in_kml_names_both_areas(store: Store, tmp_path: Path) -> None:
    name = draw(store)
    document = parse_kml(export(store, tmp_path / "out.kml", "kml").path)
    told = {
        mark.findtext(f"{KML}name", ""): mark.findtext(f"{KML}description", "")
        for mark in document.iter(f"{KML}Placemark")
    }
    [(_, words)] = [(title, words) for title, words in told.items() if name in title]
    assert words == f"Drawn outline {store.candidate(name).area_drawn_ha:,.1f} ha; 270 m cells 29.2 ha."
    assert sorted(told.values())[0] == ""


def test_the_nearest_river_stands_beside_the_dam(store: Store, tmp_path: Path) -> None:
    name = min(unregistered(store))
    match = dataclasses.replace(store.candidate(name).match, nearest_river=NearestRiver(NASTY, 120.04, "rivers"))
    store.rematch([name], [match], "loaded rivers")
    rows = {row["candidate_id"]: row for row in read_csv(export(store, tmp_path / "out.csv", "csv").path)}
    assert (rows[name]["nearest_river"], rows[name]["nearest_river_distance_m"]) == (NASTY, "120.0")
    assert {row["nearest_river"] for other, row in rows.items() if other != name} == {""}
