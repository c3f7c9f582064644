"""What the review panel asks the app: everything in one item, verdicts with all their parts, looks, areas."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import streamlit as st

from minedisc_core.domain import Impact, Reason, Status
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter, QueueOrder, Store
from pages import analysts, map_sites, shared
from tests.pages.asking import Answer, ask, ask_verdicts, send_verdicts, token, verdict

SQUARE = {"type": "Polygon", "coordinates": [[[-44, -20], [-43.99, -20], [-43.99, -19.99], [-44, -19.99], [-44, -20]]]}
CROSSED = {"type": "Polygon", "coordinates": [[[0, 0], [0.01, 0.01], [0.01, 0], [0, 0.01]]]}


def first() -> str:
    return shared.store().candidate_ids()[0]


def item(candidate_id: str, lang: str = "en") -> Any:
    number = shared.store().number_of(candidate_id)
    queue = shared.house().queues.keep(QueueOrder(np.array([number])), CandidateFilter())
    return ask(f"/minedisc/review/items?queue={queue}&count=1&lang={lang}&t={token('review')}").json()["items"][0]


def post(what: str, sent: dict[str, Any] | bytes, signed: str | None = None) -> Answer:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    given = token("review") if signed is None else signed
    return ask(f"/minedisc/review/{what}", "POST", body, X_Minedisc_Token=given)


def look(candidate_id: str | None, analyst: str, client: str, **more: Any) -> Any:
    sent = {"candidate_id": candidate_id, "analyst": analyst, "client": client, **more}
    return post("looking", sent).json()


def test_an_item_says_everything_that_the_panel_shows(taken_in: Settings) -> None:
    made = item(first())
    assert [line["label"] for line in made["coordinates"]] == ["Decimal", "DMS", "ANM"]
    assert [link["host"] for link in made["links"]] == [
        "earth.google.com", "browser.dataspace.copernicus.eu", "www.openstreetmap.org",
    ]  # fmt: skip
    assert made["priority"]["total"] == pytest.approx(sum(x["value"] * x["weight"] for x in made["priority"]["terms"]))
    assert (made["score_text"], made["dates"], made["source"]) == (
        "0.990",
        "2024-06-01 to 2024-08-31",
        "Made for a test",
    )
    assert {"Score", "Impact class", "Area of the cells", "Registers"} <= {fact["label"] for fact in made["facts"]}
    assert (made["status"], made["seen"], made["history"], made["moved"], made["footprint"]) == (
        "undecided", False, [], None, None,
    )  # fmt: skip


def test_an_item_is_told_in_the_language_that_is_asked_for(taken_in: Settings) -> None:
    english, portuguese, unknown = (item(first(), lang) for lang in ("en", "pt", "xx"))
    assert english["impact_label"] == unknown["impact_label"] != portuguese["impact_label"]
    assert portuguese["score_text"] == "0,990"


def test_the_links_open_the_imagery_that_was_scanned(taken_in: Settings) -> None:
    made = item(first())
    where = f"{made['lat']:.6f},{made['lon']:.6f}"
    google, copernicus, street = (link["url"] for link in made["links"])
    assert google == f"https://earth.google.com/web/search/{where}/@{where},0a,3000d,35y,0h,0t,0r"
    assert "datasetId=S2_L1C_CDAS" in copernicus
    assert "fromTime=2024-06-01T00%3A00%3A00.000Z&toTime=2024-08-31T23%3A59%3A59.999Z" in copernicus
    assert "dateMode=MOSAIC" in copernicus
    assert street.endswith(f"#map=15/{made['lat']:.6f}/{made['lon']:.6f}")


def test_a_verdict_keeps_notes_class_point_and_footprint(taken_in: Settings) -> None:
    one = first()
    said = send_verdicts(
        verdict(one, "confirmed", notes="Deep pit", impact="low", moved=[-44.001, -20.002], footprint=SQUARE)
    )
    assert said["refused"] == []
    update = said["updates"][0]
    assert (update["area_drawn"], update["notes"], update["moved"]) == ("116 ha", "Deep pit", [-44.001, -20.002])
    assert update["footprint"] == SQUARE
    now = shared.store().candidate(one)
    assert (now.notes, now.impact, now.moved_lon, now.moved_lat) == ("Deep pit", Impact.LOW, -44.001, -20.002)
    made = item(one)
    assert made["coordinates"][0]["value"] == "-20.002000, -44.001000"
    assert (made["area_drawn_text"], made["area_cells_text"]) == ("116 ha", "7.3 ha")
    assert made["footprint"]["type"] == "Polygon"


def test_verdicts_that_come_together_are_one_transaction(taken_in: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, record = [], Store.record
    monkeypatch.setattr(Store, "record", lambda store, events: sizes.append(len(events)) or record(store, events))
    sent = [verdict(name, "unsure") for name in shared.store().candidate_ids()[:2]]
    assert ask_verdicts(*sent).json()["acknowledged"] == [event["event_id"] for event in sent]
    assert sizes == [2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"moved": [1]}, "no place"),
        ({"moved": "here"}, "no place"),
        ({"moved": [True, False]}, "no place"),
        ({"moved": [1e300, 0]}, "moved to"),
        ({"moved": [10**400, 0]}, "moved to"),
        ({"moved": [None, None]}, "no place"),
        ({"moved": [-200, 0]}, "moved to"),
        ({"moved": {"lon": 1}}, "no place"),
        ({"footprint": CROSSED}, "crosses"),
        ({"footprint": {}}, "polygon"),
        ({"footprint": "POLYGON"}, "polygon"),
        ({"footprint": 7}, "polygon"),
        ({"footprint": {"type": "Polygon", "coordinates": [[[0, 0]] * 9000]}}, "vertices"),
        ({"impact": "huge"}, "huge"),
        ({"impact": ["high"]}, "high"),
        ({"impact": {"a": 1}}, "not a valid"),
        ({"notes": "x" * 2001}, "2,000"),
        ({"reason": "burn"}, "reason"),
        ({"verdict": ["confirmed"]}, "valid"),
        ({"verdict": None}, "valid"),
        ({"candidate_id": 5}, "no candidate"),
        ({"candidate_id": "\ud800"}, "no candidate"),
        ({"verdict": "undecided", "undoes": "nothing"}, "no verdict"),
        ({"verdict": "undecided", "undoes": 5}, ""),
    ],
)
def test_what_cannot_be_a_verdict_is_refused_in_words_and_nothing_of_it_is_stored(
    taken_in: Settings, more: dict[str, Any], said: str
) -> None:
    one, two = shared.store().candidate_ids()[:2]
    bad, good = {**verdict(one, "confirmed"), **more}, verdict(two, "unsure")
    answer = ask_verdicts(bad, good)
    assert answer.status == 200
    (refused,) = answer.json()["refused"]
    assert refused["event_id"] == bad["event_id"]
    assert said in refused["problem"]
    assert answer.json()["acknowledged"] == [good["event_id"]]
    assert shared.store().history(one) == []


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"events": NaN}', b'{"events": [{"event_id": 5}]}', b'{"events": {}}', b"null", b"\x00" * 50],
)
def test_a_body_that_is_no_object_of_the_panel_is_refused(taken_in: Settings, body: bytes) -> None:
    for what in ("verdicts", "looking", "area"):
        answer = post(what, body)
        assert answer.status == 409
        assert answer.json()["problem"]


@pytest.mark.parametrize(("what", "size"), [("looking", 4_001), ("area", 500_001), ("verdicts", 8_000_001)])
def test_a_body_beyond_its_limit_is_refused(taken_in: Settings, what: str, size: int) -> None:
    assert "too large" in post(what, b" " * size).json()["problem"]


@pytest.mark.parametrize("what", ["looking", "area", "verdicts"])
def test_every_call_of_the_panel_needs_its_token(taken_in: Settings, what: str) -> None:
    for signed in ("", token("tiles:x"), token("review:Ana"), token("review") + "~Ana", "~", "9~~"):
        assert post(what, {"events": []}, signed).status == 403


def test_a_gesture_is_undone_as_one(taken_in: Settings) -> None:
    ids, batch = shared.store().candidate_ids()[:3], str(uuid4())
    send_verdicts(*(verdict(each, "rejected", reason="burn", batch=batch) for each in ids))
    said = send_verdicts({**verdict("", "undecided"), "candidate_id": None, "undoes": None})
    assert sorted(said["undone"]) == sorted(ids)
    assert {update["status"] for update in said["updates"]} == {"undecided"}


def test_an_undo_of_the_last_verdict_tells_of_no_candidate_that_it_was_not_on(taken_in: Settings) -> None:
    one = first()
    send_verdicts(verdict(one, "unsure"))
    answer = ask_verdicts({**verdict("nobody", "undecided"), "undoes": None})
    assert (answer.status, answer.json()["undone"]) == (200, [one])
    assert [update["id"] for update in answer.json()["updates"]] == [one]


def test_the_history_shows_what_everybody_decided_newest_first(taken_in: Settings) -> None:
    one = first()
    ana, bia = verdict(one, "confirmed"), verdict(one, "rejected", reason="burn", analyst="Bia", notes="Ash")
    send_verdicts(ana, bia)
    said = send_verdicts(verdict(one, "undecided", undoes=bia["event_id"]))
    lines = [(line["who"], line["what"], line["undone"]) for line in said["updates"][0]["history"]]
    assert lines == [
        ("Ana", "took back the verdict of Bia", False),
        ("Bia", "Rejected: Burn · “Ash”", True),
        ("Ana", "Confirmed", False),
    ]
    assert said["updates"][0]["status"] == "confirmed"


def test_a_look_is_noted_and_keeps_the_candidate_for_the_one_who_looks(taken_in: Settings) -> None:
    one, two = shared.store().candidate_ids()[:2]
    ana, bia = str(uuid4()), str(uuid4())
    assert look(one, "Ana", ana)["held_by"] == ""
    assert look(one, "Bia", bia) | {"history": []} == {
        "held_by": "Ana", "others": {one: "Ana"}, "id": one, "status": "undecided", "reason": None, "notes": "",
        "impact": "high", "moved": None, "footprint": None, "history": [], "area_drawn": None,
    }  # fmt: skip
    assert look(two, "Ana", ana)["others"] == {}
    assert look(one, "Bia", bia)["held_by"] == ""
    assert shared.store().candidate(one).seen
    assert look(None, "Bia", bia)["others"] == {two: "Ana"}
    assert look(two, "Ana", ana)["others"] == {}


def test_a_look_tells_what_somebody_else_decided_meanwhile(taken_in: Settings) -> None:
    one = first()
    shared.store().record([new_verdict(one, Status.REJECTED, "Bia", reason=Reason.BURN)])
    said = look(one, "Ana", str(uuid4()))
    assert (said["status"], said["reason"], said["history"][0]["who"]) == ("rejected", "burn", "Bia")


@pytest.mark.parametrize(
    "sent",
    [{"candidate_id": "nobody", "client": str(uuid4())}, {"client": "x"}, {"client": 7}, {"client": str(uuid4()) * 9}],
)
def test_a_look_at_nothing_or_from_nowhere_is_refused(taken_in: Settings, sent: dict[str, Any]) -> None:
    assert post("looking", {"candidate_id": first(), **sent}).status == 409
    assert not any(candidate.seen for candidate in shared.store().candidates())


def test_a_name_of_many_odd_signs_does_no_harm(taken_in: Settings) -> None:
    one, odd = first(), "\ud800<b>\u202e\x00" + "A" * 500
    look(one, odd, str(uuid4()))
    held_by = look(one, "Bia", str(uuid4()))["held_by"]
    assert held_by.startswith("<b>A")
    assert len(held_by) <= 80


def test_the_area_of_an_outline_that_is_being_drawn(taken_in: Settings) -> None:
    assert post("area", {"geometry": SQUARE}).json() == {"area_ha": pytest.approx(116, abs=1), "text": "116 ha"}
    large = {"type": "Polygon", "coordinates": [[[-44, -20], [-43.9, -20], [-43.9, -19.9], [-44, -19.9]]]}
    told = {lang: post("area", {"geometry": large, "lang": lang}).json()["text"] for lang in ("en", "pt")}
    assert told["pt"] == told["en"].replace(",", ".") != told["en"]
    assert "crosses" in post("area", {"geometry": CROSSED}).json()["problem"]
    for geometry in (None, [], "", 5, {"type": "Polygon", "coordinates": [[[1e999, 0], [1, 1], [1, 0]]]}):
        assert post("area", {"geometry": geometry}).status == 409


def test_a_token_of_a_login_binds_the_name(taken_in: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "user", {"is_logged_in": True, "name": "Bia ~ Souza"})
    one, signed = first(), analysts.token()
    answer = post("verdicts", {"events": [verdict(one, "confirmed", analyst="Bia ~ Souza")]}, signed)
    assert answer.json()["refused"] == []
    forged = verdict(one, "unsure", analyst="Ana")
    (refused,) = post("verdicts", {"events": [forged]}, signed).json()["refused"]
    assert "Ana" in refused["problem"]
    nameless = {**verdict(one, "unsure"), "analyst": ""}
    assert post("verdicts", {"events": [nameless]}, signed).json()["updates"][0]["history"][0]["who"] == "Bia ~ Souza"
    other = signed.partition("~")[0] + "~Ana"
    assert post("verdicts", {"events": [forged]}, other).status == 403
    assert post("looking", {"candidate_id": one, "analyst": "Ana", "client": str(uuid4())}, signed).status == 409


def test_a_long_queue_pushes_out_old_ones_and_is_never_dropped_itself(
    taken_in: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.queue_memory.CANDIDATES_KEPT", 5)
    queues = shared.house().queues
    old, long = (queues.keep(QueueOrder(np.arange(count)), CandidateFilter()) for count in (2, 9))
    kept = queues.get(long)
    assert (queues.get(old), kept is not None and kept.part(0, 99)) == (None, list(range(9)))


def view_of(edges: str, lang: str = "en") -> Answer:
    queue = shared.house().queues.keep(shared.store().queue(), CandidateFilter(statuses=(Status.UNDECIDED,)))
    return ask(f"/minedisc/review/sites?queue={queue}&view={edges}&lang={lang}&t={token('review')}")


def test_a_view_of_the_map_gets_its_own_sites_whatever_was_decided(taken_in: Settings) -> None:
    send_verdicts(verdict(first(), "rejected", reason="burn"))
    said = view_of("-180,-90,180,90").json()
    sites = {site["properties"]["candidate_id"]: site["properties"] for site in said["sites"]}
    assert set(sites) == set(shared.store().candidate_ids())
    assert said["clusters"] == []
    assert sites[first()]["style"]["dashArray"] == "3 5"
    assert view_of("0,0,1,1").json() == {"sites": [], "clusters": []}


def test_many_sites_of_a_view_come_as_clusters(taken_in: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.map_sites.VIEW_SITES_MAX", 5)
    said = view_of("-180,-90,180,90", "pt").json()
    assert said["sites"] == []
    assert sum(cluster["count"] for cluster in said["clusters"]) == len(shared.store().candidate_ids())
    assert "clique" in said["clusters"][0]["label"]


@pytest.mark.parametrize("edges", ["", "1,2,3", "2,0,1,1", "a,b,c,d", "-181,0,0,1", "nan,0,1,1"])
def test_what_is_no_view_is_refused(taken_in: Settings, edges: str) -> None:
    assert view_of(edges).status == 409


def test_a_view_needs_the_panels_token_and_a_queue(taken_in: Settings) -> None:
    assert ask("/minedisc/review/sites?queue=x&view=0,0,1,1").status == 403
    assert ask(f"/minedisc/review/sites?queue=x&view=0,0,1,1&t={token('review')}").status == 409


def test_a_small_queue_has_its_sites_in_one_layer_and_a_large_one_in_views(
    taken_in: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not map_sites.are_many(CandidateFilter())
    monkeypatch.setattr("pages.map_sites.LAYER_SITES_MAX", 22)
    assert map_sites.are_many(CandidateFilter())
