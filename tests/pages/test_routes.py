"""What the app serves beside its pages: signed, inside its folders, and in the forms that scripts expect."""

from __future__ import annotations

import json

import pytest

from minedisc_core import owner
from minedisc_core.errors import StoreError
from minedisc_core.settings import Settings
from minedisc_core.store import CandidateFilter, Store
from pages import shared
from tests.pages.asking import RUN, ask, ask_verdicts, send_verdicts, token, verdict


def test_a_map_tile_needs_a_token_of_its_own_run(home: Settings) -> None:
    reader = shared.tile_reader(RUN, "true_colour")
    assert reader is not None
    west, south, east, north = reader.bounds
    address = f"/minedisc/tiles/{RUN}/true_colour/0/0/0"
    assert ask(address).status == 403
    assert ask(f"{address}?t={token('tiles:other')}").status == 403
    found = ask(f"{address}?t={token(f'tiles:{RUN}')}")
    assert found.status == 200
    assert found.headers["content-type"] in ("image/webp", "image/png")
    assert "private" in found.headers["cache-control"]
    assert (west, south) < (east, north)


def test_a_tile_where_nothing_lies_is_a_transparent_picture(home: Settings) -> None:
    found = ask(f"/minedisc/tiles/{RUN}/swir/10/0/0?t={token(f'tiles:{RUN}')}")
    assert (found.status, found.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize("kind", ["scores", "../swir", "secrets"])
def test_only_the_known_kinds_of_map_tiles_exist(home: Settings, kind: str) -> None:
    assert ask(f"/minedisc/tiles/{RUN}/{kind}/0/0/0?t={token(f'tiles:{RUN}')}").status == 404


@pytest.mark.parametrize("name", ["..", ".", "preview-", "preview-..", "preview-a/b", "nobody", "a b"])
def test_a_name_never_leads_out_of_the_home(home: Settings, name: str) -> None:
    assert ask(f"/minedisc/tiles/{name}/true_colour/0/0/0?t={token(f'tiles:{name}')}").status == 404
    assert ask(f"/minedisc/scores/{name}?t={token(f'tiles:{name}')}").status == 404


def test_the_scores_are_a_picture(home: Settings) -> None:
    found = ask(f"/minedisc/scores/{RUN}?t={token(f'tiles:{RUN}')}")
    assert found.body.startswith(b"\x89PNG")


def test_a_chip_is_served_with_its_token_only(home: Settings) -> None:
    address = f"/minedisc/chips/{RUN}/{RUN}-0001_true_colour.webp"
    assert ask(address).status == 403
    found = ask(f"{address}?t={token(f'chips:{RUN}')}")
    assert found.body[8:12] == b"WEBP"


@pytest.mark.parametrize("name", ["outlines.json", "../result.json", "..%2fresult.json", ".webp", "x.webp"])
def test_nothing_but_chips_comes_out_of_the_chips_folder(home: Settings, name: str) -> None:
    assert ask(f"/minedisc/chips/{RUN}/{name}?t={token(f'chips:{RUN}')}").status == 404


@pytest.mark.parametrize("name", ["../pyproject.toml", "..", "", "leaflet/../../app.py", "/etc/passwd", "a%00b"])
def test_nothing_outside_the_vendor_folder_is_served(empty_home: Settings, name: str) -> None:
    assert ask(f"/minedisc/vendor/{name}").status == 404


def test_the_queue_is_given_in_windows(taken_in: Settings) -> None:
    order = shared.store().candidate_ids()
    queue = shared.house().queues.keep(shared.store().queue(), CandidateFilter())
    address = f"/minedisc/review/items?queue={queue}&start=3&count=2"
    assert ask(address).status == 403
    items = ask(f"{address}&t={token('review')}").json()["items"]
    assert [(item["index"], item["id"]) for item in items] == [(3, order[3]), (4, order[4])]
    around = ask(f"/minedisc/review/items?queue={queue}&count=5&around={order[9]}&t={token('review')}").json()["items"]
    assert order[9] in [item["id"] for item in around]


def test_a_queue_that_is_gone_is_explained(taken_in: Settings) -> None:
    found = ask(f"/minedisc/review/items?queue=nothing&t={token('review')}")
    assert found.status == 409
    assert "reload" in found.json()["problem"]


def test_verdicts_are_stored_in_order_and_acknowledged(taken_in: Settings) -> None:
    one, two = shared.store().candidate_ids()[:2]
    events = [verdict(one, "confirmed"), verdict(two, "rejected", reason="burn"), verdict(one, "unsure")]
    said = send_verdicts(*events)
    assert said["acknowledged"] == [event["event_id"] for event in events]
    assert [str(c.status) for c in shared.store().candidates_by_id([one, two])] == ["unsure", "rejected"]
    assert said["counters"]["decided"] == 2


def test_sending_a_verdict_twice_changes_nothing(taken_in: Settings) -> None:
    event = verdict(shared.store().candidate_ids()[0], "confirmed")
    assert send_verdicts(event)["acknowledged"] == send_verdicts(event, event)["acknowledged"][:1]
    assert len(shared.store().history(event["candidate_id"])) == 1


def test_one_bad_verdict_does_not_hold_up_the_others(taken_in: Settings) -> None:
    one = shared.store().candidate_ids()[0]
    bad = [
        verdict("nobody", "confirmed"),
        verdict(one, "rejected"),
        verdict(one, "sure"),
        verdict(one, "rejected", reason="x"),
    ]
    good = verdict(one, "unsure")
    said = send_verdicts(*bad, good)
    assert said["acknowledged"] == [good["event_id"]]
    assert [refused["event_id"] for refused in said["refused"]] == [event["event_id"] for event in bad]
    assert all(refused["problem"] for refused in said["refused"])


def test_a_database_that_cannot_be_written_refuses_nothing(taken_in: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    event = verdict(shared.store().candidate_ids()[0], "confirmed")

    def full(_store: object, _events: object) -> None:
        raise StoreError("The database could not be written: no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "record", full)
        answer = ask_verdicts(event)
        assert answer.status == 409
        assert "no space left" in answer.json()["problem"]
    assert send_verdicts(event)["acknowledged"] == [event["event_id"]]


def test_an_undo_names_what_it_undoes_or_takes_the_analysts_last(taken_in: Settings) -> None:
    one, two = shared.store().candidate_ids()[:2]
    first, second = verdict(one, "confirmed"), verdict(two, "confirmed")
    send_verdicts(first, second)
    assert send_verdicts(verdict(one, "undecided", undoes=first["event_id"]))["undone"] == []
    assert send_verdicts({**verdict("", "undecided"), "candidate_id": None, "undoes": None})["undone"] == [two]
    assert {str(c.status) for c in shared.store().candidates_by_id([one, two])} == {"undecided"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"events": 1}', b'{"events": [{"event_id": "no uuid"}]}', b"\xff", b'{"events": [1]}']
)
def test_a_body_that_is_no_verdicts_is_refused(taken_in: Settings, body: bytes) -> None:
    assert ask("/minedisc/review/verdicts", "POST", body, X_Minedisc_Token=token("review")).status == 409


def test_verdicts_need_a_token(taken_in: Settings) -> None:
    assert ask("/minedisc/review/verdicts", "POST", b'{"events": []}').status == 403


def test_the_command_lines_door_needs_its_token_and_loopback(taken_in: Settings) -> None:
    secret = owner.announce(taken_in, 1)
    body = json.dumps({"verb": "runs", "arguments": {}}).encode()
    assert ask("/minedisc/api/verb", "POST", body).status == 403
    assert ask("/minedisc/api/verb", "POST", body, host="10.0.0.9", X_Minedisc_Token=secret).status == 403
    found = ask("/minedisc/api/verb", "POST", body, X_Minedisc_Token=secret)
    assert found.json()["result"][0]["run_id"] == RUN
