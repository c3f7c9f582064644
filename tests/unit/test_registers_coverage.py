"""Where registers are complete: states drawn roughly by hand, and polygons."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minedisc_core.domain import RegisterKind
from minedisc_core.errors import UsageError
from minedisc_core.grid import geodesic_area_ha, square_around
from minedisc_core.registers import states
from minedisc_core.registers.coverage import StatedCoverage, covered, state_coverage
from minedisc_core.registers.states import ABROAD, STATES, possible_states, state_codes
from minedisc_core.registers.tables import RegisterTable
from minedisc_core.settings import Settings

CAPITALS = {
    "AC": (-67.81, -9.97), "AL": (-35.74, -9.65), "AM": (-60.02, -3.12), "AP": (-51.07, 0.03), "BA": (-38.50, -12.97),
    "CE": (-38.54, -3.72), "DF": (-47.88, -15.79), "ES": (-40.34, -20.32), "GO": (-49.25, -16.68),
    "MA": (-44.30, -2.53), "MG": (-43.94, -19.92), "MS": (-54.65, -20.44), "MT": (-56.10, -15.60),
    "PA": (-48.50, -1.46), "PB": (-34.86, -7.12), "PE": (-34.88, -8.05), "PI": (-42.80, -5.09), "PR": (-49.27, -25.43),
    "RJ": (-43.21, -22.91), "RN": (-35.21, -5.79), "RO": (-63.90, -8.76), "RR": (-60.67, 2.82), "RS": (-51.23, -30.03),
    "SC": (-48.55, -27.60), "SE": (-37.07, -10.91), "SP": (-46.64, -23.55), "TO": (-48.33, -10.18),
}  # fmt: skip
INLAND_KM2 = {"AC": 164_173, "AM": 1_559_256, "DF": 5_761, "GO": 340_243, "MG": 586_514, "MS": 357_148, "MT": 903_208,
              "PR": 199_299, "RO": 237_754, "TO": 277_424}  # fmt: skip
"""IBGE's areas of states without, or with little, sea."""
IRON_QUADRANGLE = square_around(-43.8, -20.2, 2000)
NEAR_SAO_PAULO = square_around(-46.7, -21.8, 2000)


def outline(code: str) -> shapely.Geometry:
    return shapely.Polygon(list(states._vertices(states._OUTLINES[code])))


@pytest.mark.parametrize("code", sorted(STATES))
def test_each_capital_may_lie_in_its_own_state_and_not_abroad(code: str) -> None:
    found = possible_states([shapely.Point(CAPITALS[code])])[0]
    assert code in found
    assert ABROAD not in found or code in ("AC", "RR")


@pytest.mark.parametrize("code", sorted(INLAND_KM2))
def test_inland_outlines_have_about_the_area_of_the_state(code: str) -> None:
    drawn_km2 = geodesic_area_ha(outline(code)) / 100
    assert drawn_km2 == pytest.approx(INLAND_KM2[code], rel=0.06 if code != "DF" else 0.4)


def test_outlines_are_valid_and_leave_no_gap_beyond_their_tolerance() -> None:
    assert all(outline(code).is_valid for code in STATES)
    whole = shapely.union_all(shapely.buffer([outline(code) for code in STATES], states.TOLERANCE_DEG / 2))
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0


@pytest.mark.parametrize(
    "place", [(-58.38, -34.6), (-57.63, -25.28), (-68.15, -16.5), (-77.03, -12.05), (-66.9, 10.5), (2.35, 48.86)]
)
def test_places_in_other_countries_may_lie_abroad(place: tuple[float, float]) -> None:
    assert ABROAD in possible_states([shapely.Point(place)])[0]


def test_the_middle_of_a_state_lies_in_it_alone_and_its_border_in_both() -> None:
    assert possible_states([IRON_QUADRANGLE]) == [{"MG"}]
    assert possible_states([NEAR_SAO_PAULO]) == [{"MG", "SP"}]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("MG", ["MG"]),
        ("mg", ["MG"]),
        ("Minas Gerais", ["MG"]),
        ("MG/SP", ["MG", "SP"]),
        ("Pará", ["PA"]),
        ("XX", []),
        ("", []),
    ],
)
def test_states_are_read_from_codes_and_names(text: str, codes: list[str]) -> None:
    assert state_codes(text) == codes


def is_covered(place: shapely.Geometry, *stated: str | shapely.Geometry) -> bool:
    made = [StatedCoverage(s) if isinstance(s, str) else StatedCoverage("polygon", s) for s in stated]
    return bool(covered([place], made)[0])


def test_a_place_is_covered_if_all_states_it_may_lie_in_are() -> None:
    assert is_covered(IRON_QUADRANGLE, "MG")
    assert is_covered(IRON_QUADRANGLE, "BR")
    assert is_covered(NEAR_SAO_PAULO, "MG", "SP")
    assert not is_covered(NEAR_SAO_PAULO, "MG")
    assert not is_covered(IRON_QUADRANGLE, "PA,SP")
    assert not is_covered(IRON_QUADRANGLE, "not stated")
    assert not is_covered(IRON_QUADRANGLE)


def test_a_place_near_the_frontier_needs_a_polygon() -> None:
    frontier = square_around(-61.15, 4.4, 2000)
    assert not is_covered(frontier, "BR")
    assert is_covered(frontier, "BR", shapely.box(-62, 4, -61, 5))
    assert is_covered(frontier, "everywhere")


def test_a_polygon_covers_what_lies_wholly_in_it() -> None:
    around = IRON_QUADRANGLE.buffer(0.01)
    half = shapely.box(*IRON_QUADRANGLE.bounds[:2], IRON_QUADRANGLE.centroid.x, IRON_QUADRANGLE.bounds[3])
    assert is_covered(IRON_QUADRANGLE, around)
    assert not is_covered(IRON_QUADRANGLE, half)
    assert not is_covered(NEAR_SAO_PAULO, around)
    assert is_covered(IRON_QUADRANGLE, half, "MG")
    assert is_covered(IRON_QUADRANGLE, half, IRON_QUADRANGLE.difference(half).buffer(1e-9))


def table(kind: RegisterKind, rows: list[str], declares_state: bool = True) -> RegisterTable:
    frame = gpd.GeoDataFrame({"state": rows}, geometry=[shapely.Point(0, 0)] * len(rows), crs=4326)
    return RegisterTable(kind, frame, (), declares_state)


def test_a_load_covers_the_states_that_its_rows_name(settings: Settings) -> None:
    def read(kind: RegisterKind, rows: list[str], declares: bool = True) -> str:
        return state_coverage(table(kind, rows, declares), None, None, settings).text

    assert read(RegisterKind.SIGBM, ["MG", "PA", "MG", ""]) == "MG,PA"
    assert read(RegisterKind.SIGMINE, ["MG"] * 500 + ["SP"]) == "MG"
    assert read(RegisterKind.SIGMINE, ["MG"] * 500 + ["SP"] * 6) == "MG,SP"
    assert read(RegisterKind.SIGMINE, ["MG"] * 90_000 + ["AC"] * 200) == "AC,MG"
    assert read(RegisterKind.SIGMINE, [""], declares=False) == "not stated"
    assert read(RegisterKind.POINTS, ["MG"]) == "not stated"


def test_a_stated_coverage_wins_over_the_rows(tmp_path: Path, settings: Settings) -> None:
    rows = table(RegisterKind.SIGBM, ["MG"])
    path = tmp_path / "area.gpkg"
    gpd.GeoDataFrame(geometry=[IRON_QUADRANGLE], crs=4326).to_file(path, engine="pyogrio")
    assert state_coverage(rows, "BR", None, settings).text == "BR"
    assert state_coverage(rows, " pa, mt ", None, settings).text == "MT,PA"
    assert state_coverage(rows, "Minas Gerais", None, settings).text == "MG"
    from_file = state_coverage(rows, str(path), None, settings)
    assert from_file.text == "polygon"
    assert from_file.polygon is not None
    assert from_file.polygon.equals(IRON_QUADRANGLE)
    assert state_coverage(rows, "BR", IRON_QUADRANGLE, settings) == StatedCoverage("polygon", IRON_QUADRANGLE)


@pytest.mark.parametrize("text", ["XX", "MG,XX", "nowhere.geojson"])
def test_an_unknown_coverage_is_an_error(text: str, settings: Settings) -> None:
    with pytest.raises(UsageError, match="not known"):
        state_coverage(table(RegisterKind.SIGBM, ["MG"]), text, None, settings)


def test_many_places_are_judged_at_once() -> None:
    places = [IRON_QUADRANGLE, NEAR_SAO_PAULO, IRON_QUADRANGLE]
    assert np.array_equal(covered(places, [StatedCoverage("MG")]), [True, False, True])
