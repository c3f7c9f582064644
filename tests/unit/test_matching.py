"""What the registers say of sites: statuses, distances, shares, and the words for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.domain import RegisterKind, RegisterMatch, RegisterStatus, Snapshot
from minedisc_core.errors import UsageError
from minedisc_core.grid import GEOD, geodesic_area_ha, square_around
from minedisc_core.registers.active import ActiveRegisters, Layer
from minedisc_core.registers.coverage import StatedCoverage
from minedisc_core.registers.matching import match_polygons
from minedisc_core.registers.nearest import nearest_entries, nearest_within
from minedisc_core.registers.overlaps import find_overlaps
from minedisc_core.registers.pieces import cut_up
from minedisc_core.registers.sentences import describe

LON, LAT = -43.8, -20.2
SITE = square_around(LON, LAT, 540)
HALF = shapely.box(LON, LAT - 1, LON + 1, LAT + 1)
EXTRACTING, RESEARCH = "Concessão de Lavra", "Autorização de Pesquisa"


def layer(geometry: Sequence[shapely.Geometry], label: str, **columns: object) -> Layer:
    frame = gpd.GeoDataFrame(
        {name: [value] * len(geometry) for name, value in columns.items()}, geometry=list(geometry)
    )
    return Layer(frame.set_crs(4326), [label] * len(geometry))


def titles(*given: tuple[shapely.Geometry, str]) -> Layer:
    columns = {
        "process": [f"83000{i}/2004" for i in range(len(given))],
        "phase": [phase for _, phase in given],
        "may_extract": [phase == EXTRACTING for _, phase in given],
        "holder": ["A & B"] * len(given),
        "substance": ["FERRO"] * len(given),
    }
    frame = gpd.GeoDataFrame(columns, geometry=[shape for shape, _ in given], crs=4326)
    return Layer(frame, ["sigmine 2026-10-30"] * len(given))


def snapshot(kind: RegisterKind, name: str, as_of: date, coverage: str) -> Snapshot:
    return Snapshot(f"{kind}-1", kind, name, datetime(2026, 11, 2), as_of, 1, 0, coverage, "")


def registers(
    dams: Sequence[shapely.Geometry] | None = (),
    given_titles: Layer | None = None,
    mines: Sequence[shapely.Geometry] = (),
    lands: Sequence[shapely.Geometry] = (),
    rivers: Sequence[shapely.Geometry] = (),
    dam_coverage: str = "MG",
    title_coverage: str = "MG",
) -> ActiveRegisters:
    """Registers in force; `dams=None` or `given_titles=None` with coverage '' means: not loaded."""
    stated = {}
    snapshots = []
    if dams is not None:
        snapshots.append(snapshot(RegisterKind.SIGBM, "dams.csv", date(2026, 11, 2), dam_coverage))
        stated[RegisterKind.SIGBM] = (StatedCoverage(dam_coverage),)
    if title_coverage:
        snapshots.append(snapshot(RegisterKind.SIGMINE, "MG.zip", date(2026, 10, 30), title_coverage))
        stated[RegisterKind.SIGMINE] = (StatedCoverage(title_coverage),)
    if lands:
        snapshots.append(snapshot(RegisterKind.LANDS, "ti.gpkg", date(2026, 9, 1), "not stated"))
    if rivers:
        snapshots.append(snapshot(RegisterKind.RIVERS, "rios.gpkg", date(2026, 8, 1), "not stated"))
    return ActiveRegisters(
        tuple(snapshots),
        points=layer(dams or (), "sigbm 2026-11-02", name="Dique 1", owner="Vale & Cia"),
        outlines=layer(mines, "polygons m.gpkg 2026-01-01", name="Mina", owner=""),
        titles=given_titles or titles(),
        lands=layer(lands, "lands ti.gpkg 2026-09-01", name="Yanomami", kind="Indigenous land (Regularizada)"),
        rivers=layer(rivers, "rivers rios.gpkg 2026-08-01", name="Rio das Velhas"),
        coverage=stated,
    )


def match(active: ActiveRegisters, site: shapely.Geometry = SITE, distance_m: float = 1000.0) -> RegisterMatch:
    return match_polygons([site], active, distance_m)[0]


def place_at(distance_m: float) -> shapely.Point:
    """A place that far east of the site's eastern edge."""
    edge = SITE.bounds[2]
    lon, lat, _ = GEOD.fwd(edge, LAT, 90, distance_m)
    return shapely.Point(lon, lat)


def test_nothing_is_found_where_both_registers_cover_the_place_and_are_silent() -> None:
    found = match(registers(dams=[place_at(5000)]))
    assert found.status is RegisterStatus.NOTHING_FOUND
    assert found.missing == ()
    assert found.titles == ()
    assert found.outside_extracting_titles_fraction == 1.0
    assert found.registers_as_of == "sigbm 2026-11-02; sigmine 2026-10-30"


@pytest.mark.parametrize(
    ("active", "named"),
    [
        (registers(dams=None), ["dam register (SIGBM): none is loaded"]),
        (registers(title_coverage=""), ["title register (SIGMINE): none is loaded"]),
        (registers(dam_coverage="PA"), ["none that covers this place (sigbm 2026-11-02 covers: PA)"]),
        (
            registers(title_coverage="not stated"),
            ["none that covers this place (sigmine 2026-10-30 covers: not stated)"],
        ),
        (registers(dams=None, title_coverage=""), ["dam register", "title register"]),
    ],
)
def test_a_place_without_both_registers_is_not_checked_and_says_what_is_missing(
    active: ActiveRegisters, named: list[str]
) -> None:
    found = match(active)
    assert found.status is RegisterStatus.NOT_CHECKED
    assert len(found.missing) == len(named)
    assert all(words in missing for words, missing in zip(named, found.missing, strict=True))


@pytest.mark.parametrize(("distance_m", "status"), [(0, "registered"), (900, "registered"), (1100, "nothing_found")])
def test_a_dam_within_the_distance_registers_the_site(distance_m: float, status: str) -> None:
    found = match(registers(dams=[place_at(distance_m)]))
    assert found.status == status
    assert found.nearest_dam is not None
    assert found.nearest_dam.distance_m == pytest.approx(distance_m, abs=0.5)
    assert (found.nearest_dam.name, found.nearest_dam.owner) == ("Dique 1", "Vale & Cia")
    assert match(registers(dams=[place_at(distance_m)]), distance_m=2000).status is RegisterStatus.REGISTERED


def test_a_registered_dam_counts_even_where_the_title_register_is_missing() -> None:
    assert match(registers(dams=[place_at(10)], title_coverage="")).status is RegisterStatus.REGISTERED


def test_a_dam_inside_the_site_is_no_distance_away() -> None:
    found = match(registers(dams=[shapely.Point(LON, LAT)]))
    assert found.nearest_dam is not None
    assert found.nearest_dam.distance_m == 0


def test_an_outline_of_a_mine_counts_only_where_it_meets_the_site() -> None:
    near = square_around(place_at(400).x, LAT, 200)
    assert match(registers(mines=[near])).status is RegisterStatus.NOTHING_FOUND
    meeting = match(registers(mines=[near, HALF]))
    assert meeting.status is RegisterStatus.REGISTERED
    assert meeting.nearest_dam is not None
    assert meeting.nearest_dam.distance_m == 0


def test_the_entry_that_registers_the_site_is_shown_before_a_nearer_one_that_does_not() -> None:
    outline = square_around(place_at(400).x, LAT, 200)
    found = match(registers(dams=[place_at(800)], mines=[outline]))
    assert found.status is RegisterStatus.REGISTERED
    assert found.nearest_dam is not None
    assert found.nearest_dam.name == "Dique 1"
    beyond = match(registers(dams=[place_at(1200)], mines=[outline])).nearest_dam
    assert beyond is not None
    assert beyond.name == "Mina"


def test_a_title_that_may_extract_registers_the_site_and_the_share_outside_is_told() -> None:
    found = match(registers(given_titles=titles((HALF, EXTRACTING))))
    assert found.status is RegisterStatus.REGISTERED
    assert found.titles[0].covered_fraction == pytest.approx(0.5, abs=1e-3)
    assert found.outside_extracting_titles_fraction == pytest.approx(0.5, abs=1e-3)


def test_a_title_that_may_not_extract_is_told_apart() -> None:
    found = match(registers(given_titles=titles((HALF, RESEARCH))))
    assert found.status is RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT
    assert found.outside_extracting_titles_fraction == 1.0


def test_a_title_that_may_not_extract_says_nothing_where_no_dam_register_covers_the_place() -> None:
    found = match(registers(dams=None, given_titles=titles((HALF, RESEARCH))))
    assert found.status is RegisterStatus.NOT_CHECKED
    assert len(found.titles) == 1


def test_a_title_that_only_grazes_the_site_is_no_meeting() -> None:
    west, _, east, _ = SITE.bounds
    graze = shapely.box(east - 0.004 * (east - west), LAT - 1, LON + 1, LAT + 1)
    touch = shapely.box(east, LAT - 1, LON + 1, LAT + 1)
    for shape in (graze, touch):
        assert match(registers(given_titles=titles((shape, EXTRACTING)))).status is RegisterStatus.NOTHING_FOUND


def test_overlapping_titles_are_counted_once_in_the_share_outside() -> None:
    found = match(registers(given_titles=titles((HALF, EXTRACTING), (HALF, EXTRACTING), (HALF.buffer(0.1), RESEARCH))))
    assert found.outside_extracting_titles_fraction == pytest.approx(0.5, abs=1e-3)
    assert [title.covered_fraction for title in found.titles] == sorted(
        (title.covered_fraction for title in found.titles), reverse=True
    )
    assert len(found.titles) == 3


def test_protected_lands_are_named_with_kind_and_share() -> None:
    found = match(registers(lands=[HALF]))
    assert (found.lands[0].name, found.lands[0].kind) == ("Yanomami", "Indigenous land (Regularizada)")
    assert found.lands[0].covered_fraction == pytest.approx(0.5, abs=1e-3)
    assert found.status is RegisterStatus.NOTHING_FOUND


def test_without_a_title_register_the_share_outside_is_unknown() -> None:
    assert match(registers(title_coverage="")).outside_extracting_titles_fraction is None


def test_no_site_gives_no_match_and_a_bad_distance_is_an_error() -> None:
    assert match_polygons([], registers()) == []
    for bad in (-1.0, float("nan")):
        with pytest.raises(UsageError):
            match_polygons([SITE], registers(), bad)


def test_a_site_that_crosses_itself_is_matched_all_the_same() -> None:
    bow_tie = shapely.Polygon([(LON, LAT), (LON + 0.01, LAT + 0.01), (LON + 0.01, LAT), (LON, LAT + 0.01)])
    found = match(registers(given_titles=titles((HALF, EXTRACTING))), bow_tie)
    assert found.titles[0].covered_fraction == pytest.approx(1.0)


@pytest.mark.parametrize("distance_m", [0, 700, 4_900])
def test_the_nearest_river_is_told_with_its_distance_and_changes_no_status(distance_m: float) -> None:
    x = place_at(distance_m).x
    river = shapely.LineString([(x, LAT - 1), (x, LAT + 1)])
    found = match(registers(rivers=[river, shapely.LineString([(x + 1, LAT), (x + 2, LAT)])]))
    assert found.nearest_river is not None
    assert (found.nearest_river.name, found.nearest_river.register) == ("Rio das Velhas", "rivers rios.gpkg 2026-08-01")
    assert found.nearest_river.distance_m == pytest.approx(distance_m, abs=1.0)
    assert found.status is RegisterStatus.NOTHING_FOUND
    assert sum("Nearest river: Rio das Velhas" in sentence for sentence in describe(found)) == 1


def test_a_river_beyond_5_km_is_not_told() -> None:
    x = place_at(5_100).x
    found = match(registers(rivers=[shapely.LineString([(x, LAT - 1), (x, LAT + 1)])]))
    assert found.nearest_river is None
    assert not any("river" in sentence for sentence in describe(found))


def test_a_site_in_the_middle_of_a_wide_water_is_at_no_distance_from_it() -> None:
    found = match(registers(rivers=[SITE.centroid.buffer(0.3, quad_segs=500)]))
    assert found.nearest_river is not None
    assert found.nearest_river.distance_m == 0


degrees = st.integers(-200, 200).map(lambda n: n / 100)
squares = st.tuples(degrees, degrees, st.integers(1, 40)).map(
    lambda t: shapely.box(LON + t[0], LAT + t[1], LON + t[0] + t[2] / 100, LAT + t[1] + t[2] / 100)
)
places = st.tuples(degrees, degrees).map(lambda t: shapely.Point(LON + t[0], LAT + t[1]))


def brute_distance_m(site: shapely.Geometry, entry: shapely.Geometry, step_deg: float) -> float:
    """Least geodesic distance over points of both outlines, `step_deg` apart."""
    if site.intersects(entry):
        return 0.0
    a, b = (shapely.get_coordinates(shapely.segmentize(shape, step_deg)) for shape in (site, entry))
    lon, lat = np.repeat(a, len(b), 0).T
    to_lon, to_lat = np.tile(b, (len(a), 1)).T
    return float(GEOD.inv(lon, lat, to_lon, to_lat)[2].min())


@given(st.lists(squares, min_size=1, max_size=4), st.lists(places, min_size=1, max_size=8))
def test_the_nearest_point_is_the_nearest_of_all_pairs(
    sites: list[shapely.Geometry], entries: list[shapely.Geometry]
) -> None:
    rows, metres = nearest_entries(np.array(sites, dtype=object), layer(entries, "x"))
    for site, row, distance in zip(sites, rows, metres, strict=True):
        brute = [brute_distance_m(site, entry, step_deg=0.001) for entry in entries]
        assert min(brute) - 60 <= distance <= min(brute) * 1.0001 + 0.01
        assert brute[row] <= min(brute) + 60


meanders = st.tuples(degrees, degrees, st.integers(2, 300), st.integers(1, 9)).map(
    lambda t: shapely.LineString([(LON + t[0] + k / 200, LAT + t[1] + 0.05 * np.sin(k / t[3])) for k in range(t[2])])
)


@given(st.lists(squares, min_size=1, max_size=4), st.lists(meanders, min_size=1, max_size=5))
def test_the_nearest_river_in_pieces_is_the_nearest_of_all_whole_rivers(
    sites: list[shapely.Geometry], rivers: list[shapely.Geometry]
) -> None:
    rows, metres = nearest_within(np.array(sites, dtype=object), layer(rivers, "x"), 5_000.0)
    for site, row, distance in zip(sites, rows, metres, strict=True):
        brute = [brute_distance_m(site, river, step_deg=0.002) for river in rivers]
        if row < 0:
            assert min(brute) > 4_980
        else:
            assert min(brute) - 130 <= distance <= min(brute) * 1.003 + 0.01
            assert brute[row] <= min(brute) + 130


@given(st.lists(squares.map(lambda s: s.centroid.buffer(s.area**0.5, quad_segs=80)), min_size=1, max_size=3))
def test_pieces_of_waters_are_small_and_together_the_same(waters: list[shapely.Geometry]) -> None:
    pieces, rows = cut_up(np.array(waters, dtype=object))
    assert shapely.get_num_coordinates(pieces).max() <= 128
    for number, water in enumerate(waters):
        joined = shapely.union_all(pieces[rows == number])
        assert joined.symmetric_difference(water).area < 1e-9


@given(st.lists(squares, min_size=1, max_size=3), st.lists(squares, min_size=1, max_size=5))
def test_the_nearest_outline_is_the_nearest_of_all_pairs(
    sites: list[shapely.Geometry], entries: list[shapely.Geometry]
) -> None:
    rows, metres = nearest_entries(np.array(sites, dtype=object), layer(entries, "x"))
    for site, row, distance in zip(sites, rows, metres, strict=True):
        brute = [brute_distance_m(site, entry, step_deg=0.01) for entry in entries]
        assert min(brute) - 1100 <= distance <= min(brute) * 1.003 + 0.01
        assert brute[row] <= min(brute) + 1100


@given(st.lists(squares, min_size=1, max_size=4), st.lists(squares, min_size=1, max_size=6))
def test_shares_equal_those_of_all_pairs_and_stay_within_0_and_1(
    sites: list[shapely.Geometry], entries: list[shapely.Geometry]
) -> None:
    found = find_overlaps(np.array(sites, dtype=object), layer(entries, "x"))
    shares = {(int(s), int(e)): f for s, e, f in zip(found.site, found.entry, found.fraction, strict=True)}
    assert all(0 <= share <= 1 for share in shares.values())
    for i, site in enumerate(sites):
        for j, entry in enumerate(entries):
            piece = site.intersection(entry)
            brute = geodesic_area_ha(piece) / geodesic_area_ha(site) if piece.area else 0.0
            assert shares.get((i, j), 0.0) == pytest.approx(brute, abs=2e-3 if (i, j) in shares else 0.011)


@given(
    st.lists(squares, min_size=1, max_size=4),
    st.lists(st.tuples(squares, st.booleans()), max_size=5),
    st.lists(places, max_size=3),
)
def test_statuses_follow_from_what_is_listed(
    sites: list[shapely.Geometry], given_titles: list[tuple[shapely.Geometry, bool]], dams: list[shapely.Geometry]
) -> None:
    made = titles(*[(shape, EXTRACTING if extracts else RESEARCH) for shape, extracts in given_titles])
    for found in match_polygons(sites, registers(dams, made, dam_coverage="everywhere", title_coverage="everywhere")):
        near = found.nearest_dam is not None and found.nearest_dam.distance_m <= 1000
        extracting = [title for title in found.titles if title.may_extract]
        assert (found.status is RegisterStatus.REGISTERED) == (near or bool(extracting))
        assert (found.status is RegisterStatus.NOTHING_FOUND) == (not near and not found.titles)
        outside = found.outside_extracting_titles_fraction
        assert outside is not None
        assert 0 <= outside <= 1
        assert outside <= 1 - max((title.covered_fraction for title in extracting), default=0) + 1e-9


def test_matching_one_by_one_and_together_is_the_same() -> None:
    sites = [square_around(LON + i / 100, LAT, 540) for i in range(-5, 6)]
    active = registers([place_at(300)], titles((HALF, RESEARCH)), lands=[HALF])
    assert match_polygons(sites, active) == [match(active, site) for site in sites]


def test_sentences_are_careful_and_name_the_register_and_its_date() -> None:
    silent = describe(match(registers(dams=[place_at(5000)])))
    assert "No extraction title found here in SIGMINE of 2026-10-30 (check Guia de Utilização)." in silent
    assert sum("Guia de Utilização" in text for text in silent) == 1
    assert "Nearest registered dam or mine: Dique 1 (Vale & Cia), 5.0 km away [sigbm 2026-11-02]." in silent
    assert "No protected lands are loaded." in silent
    half = describe(match(registers(given_titles=titles((HALF, EXTRACTING)), lands=[HALF])))
    assert any("83000" in text and "covers 50 % of the site" in text and "may extract" in text for text in half)
    assert "50 % of the site lies outside titles that may extract." in half
    assert "Protected land: Yanomami, Indigenous land (Regularizada): 50 % of the site lies inside." in half
    research = describe(match(registers(given_titles=titles((HALF, RESEARCH)))))
    assert "No extraction title found here in SIGMINE of 2026-10-30 (check Guia de Utilização)." in research
    assert any("this phase by itself may not extract (check Guia de Utilização)" in text for text in research)
    unchecked = describe(match(registers(dams=None, title_coverage="")))
    assert unchecked[0].startswith("Not checked")
    assert "Missing: dam register (SIGBM): none is loaded." in unchecked
    assert not any("found here in SIGMINE" in text for text in unchecked)


def test_no_sentence_accuses_anyone() -> None:
    actives = [
        registers(), registers(dams=None), registers([place_at(1)], lands=[HALF]),
        registers(given_titles=titles((HALF, RESEARCH))), registers(given_titles=titles((HALF, EXTRACTING))),
    ]  # fmt: skip
    said = " ".join(text for active in actives for text in describe(match(active))).casefold()
    assert not any(word in said for word in ("illegal", "crime", "criminal", "unlawful", "clandestin", "offend"))
