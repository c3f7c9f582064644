"""The points page: each decision is kept at once, undone step by step, and exported."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from minedisc_core.errors import RegisterError
from minedisc_core.registers.points import keep_points, kept_points
from minedisc_core.settings import Settings
from minedisc_core.store import CorrectionEvent
from pages import point_map, shared
from pages.session import SessionKeys
from tests.pages.conftest import Opener
from tests.pages.fabricated import GRID


def register(settings: Settings) -> str:
    lonlat = GRID.lonlat(np.array([200.5, 300.5, 400.5]), np.array([150.5, 330.5, 500.5]))
    lines = [f"Mina {n} *;{lat};{lon}" for n, (lon, lat) in enumerate(lonlat.tolist(), 1)]
    text = "\n".join(["Nome;Latitude;Longitude", *lines, "Longe;-10;-60"])
    return str(keep_points(settings, "mines.csv", text.encode()))


@pytest.fixture
def page(home: Settings, open_page: Opener) -> AppTest:
    register(home)
    return open_page("points.py")


def texts(app: AppTest) -> str:
    progress = [element.proto.text for element in app.get("progress")]
    return "\n".join([*progress, *(element.value for element in [*app.markdown, *app.caption, *app.error])])


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def decided() -> list[tuple[int, str, str]]:
    return [(event.line, event.action, event.analyst) for event in shared.store().corrections()]


def test_the_page_starts_at_the_first_undecided_point_and_counts(page: AppTest) -> None:
    assert not page.exception
    assert "Point 1 of 3, 0 decided" in texts(page)
    assert "Mina 1" in texts(page)
    assert "Off this mosaic: 1 point of the register" in texts(page)
    press(page, "points_next")
    assert "Point 2 of 3" in texts(page)
    press(page, "points_back")
    assert "Point 1 of 3" in texts(page)


def test_each_decision_is_kept_at_once_and_undo_goes_back_over_them(page: AppTest) -> None:
    page.text_input(key=SessionKeys.ANALYST).set_value("ana").run()
    press(page, "points_no_mine")
    press(page, "points_skip")
    assert decided() == [(2, "not_a_mine", "ana"), (3, "skipped", "ana")]
    assert "Point 3 of 3, 2 decided" in texts(page)
    press(page, "points_undo")
    assert decided() == [(2, "not_a_mine", "ana")]
    assert "Point 2 of 3, 1 decided" in texts(page)
    press(page, "points_undo")
    press(page, "points_undo")
    assert decided() == []
    assert "Point 1 of 3, 0 decided" in texts(page)


def test_a_typed_place_moves_the_point_and_a_wrong_one_is_explained(page: AppTest) -> None:
    page.text_input(key="points_place").set_value("19°54'00\"S 44°01'30\"W").run()
    press(page, "points_move")
    (event,) = shared.store().corrections()
    assert (event.action, event.line) == ("moved", 2)
    assert (event.new_lat, event.new_lon) == pytest.approx((-19.9, -44.025))
    assert "Moved to: 19.90000° S, 44.02500° W" in texts(page)
    page.text_input(key="points_place").set_value("somewhere").run()
    press(page, "points_move")
    assert "is no place" in page.error[0].value
    assert len(shared.store().correction_history()) == 1


def test_a_click_on_the_map_moves_the_point_to_where_it_was(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    source = register(home)
    state = {SessionKeys.POINT: ("x", 3), point_map.MAP_KEY: {"last_clicked": {"lat": -19.9, "lng": 315.9}}}
    monkeypatch.setattr(point_map.st, "session_state", state)
    point_map._take_click(source, 3)
    (event,) = shared.store().corrections()
    assert (event.line, event.new_lat) == (3, -19.9)
    assert event.new_lon == pytest.approx(-44.1)
    state[point_map.MAP_KEY] = {"last_clicked": None}
    point_map._take_click(source, 3)
    assert len(shared.store().correction_history()) == 1


def test_decisions_of_other_registers_do_not_count_here(home: Settings, open_page: Opener) -> None:
    source = register(home)
    read = shared.register_points(source)
    point = read.points[0]
    other = CorrectionEvent("e", "other", "x.csv", point.line, "skipped", point.lon, point.lat, None, None, "ana",
                            datetime(2026, 1, 1))  # fmt: skip
    shared.store().correct_point(other)
    shared.store().correct_point(replace(other, event_id="f", register_id=read.register_id, line=3))
    app = open_page("points.py")
    assert "Point 1 of 3, 1 decided" in texts(app)


def test_without_a_register_or_off_the_mosaic_the_page_says_so(home: Settings, open_page: Opener) -> None:
    assert "Choose a register of points" in texts(open_page("points.py"))
    keep_points(home, "far.csv", b"lat,lon\n-1,-50\n")
    assert "No point of far.csv lies on this mosaic" in texts(open_page("points.py")).replace("\\", "")


def test_a_register_that_was_handed_in_is_kept_once_and_a_broken_one_not_at_all(settings: Settings) -> None:
    first = keep_points(settings, "a.csv", b"lat,lon\n-20,-44\n")
    assert keep_points(settings, "../b.csv", b"lat,lon\n-20,-44\n") == first
    with pytest.raises(RegisterError):
        keep_points(settings, "c.csv", b"nothing here\n")
    assert kept_points(settings) == [first]
