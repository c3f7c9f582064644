from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box, mapping

from minedisc_core import owner, service
from minedisc_core.domain import Impact, PriorityWeights, RunState, Site, Status
from minedisc_core.errors import MinediscError, RegisterError, RunError, StoreError, StoreOwned, UsageError
from minedisc_core.review import new_verdict
from minedisc_core.service import door
from minedisc_core.service.records import plain
from minedisc_core.settings import Settings
from minedisc_core.store import Store

SIGBM = (
    "Nome;Empreendedor;UF;Município;Latitude;Longitude;Minério principal presente no reservatório\n"
    "B1 \x1b[31m;Mineradora & <Filhos>;MG;Nova Lima;-20,0005;-43,9805;Ferro\n"
    "B2;Outra;MG;Nova Lima;nenhuma;-43,9;Ferro\n"
)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


@pytest.fixture
def run_dir(make_site: Callable[..., Site], write_run: Callable[..., Path]) -> Path:
    """Three sites: one near the dam of SIGBM, one far, one discarded."""
    far, hidden = make_site(2, impact=Impact.LOW), make_site(3, impact=Impact.NO_ORE, discarded=True)
    return write_run([make_site(1), far, hidden])


@pytest.fixture
def sigbm(tmp_path: Path) -> Path:
    path = tmp_path / "sigbm.csv"
    path.write_text(SIGBM, encoding="cp1252")
    return path


def names(found: list[dict[str, Any]]) -> list[str]:
    return [candidate["candidate_id"][-4:] for candidate in found]


def test_a_run_is_taken_in_once(store: Store, settings: Settings, run_dir: Path) -> None:
    taken = service.take_in(store, settings, str(run_dir))
    assert (taken["new"], taken["already_taken_in"], taken["sites"], taken["discarded"]) == (3, False, 3, 1)
    assert taken["register_status"] == {"not_checked": 3}
    assert taken["coverage"]["fraction"] == pytest.approx(123 / 137)
    again = service.take_in(store, settings, str(run_dir))
    assert (again["new"], again["already_taken_in"]) == (0, True)
    assert len(service.candidates(store, settings, include_discarded=True)) == 3


def test_a_run_that_is_not_finished_is_not_taken_in(store: Store, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"result\.json"):
        service.take_in(store, settings, str(tmp_path))


def test_an_incomplete_run_says_so_when_it_is_taken_in(
    store: Store, settings: Settings, make_site: Callable[..., Site], write_run: Callable[..., Path]
) -> None:
    folder = write_run([make_site(1)], state=RunState.INCOMPLETE, problems=("tile 3: unreadable",))
    taken = service.take_in(store, settings, str(folder))
    assert (taken["state"], taken["problems"]) == ("incomplete", ["tile 3: unreadable"])


def test_a_candidate_has_what_the_command_line_promises(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    found = service.candidates(store, settings)[0]
    promised = "candidate_id run_id lon lat score impact register_status status area_cells_ha discarded geometry"
    assert set(promised.split()) <= found.keys()
    assert (found["impact"], found["status"], found["register_status"]) == ("high", "undecided", "not_checked")
    assert found["geometry"]["type"] == "Polygon"
    assert found["missing_registers"]
    json.dumps(found, allow_nan=False)


def test_hidden_candidates_are_left_out_unless_asked_for(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    assert names(service.candidates(store, settings)) == ["0001", "0002"]
    assert names(service.candidates(store, settings, include_discarded=True)) == ["0001", "0002", "0003"]


def test_candidates_are_chosen_by_word_and_number(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    assert names(service.candidates(store, settings, impacts=["low"])) == ["0002"]
    assert names(service.candidates(store, settings, limit=1)) == ["0001"]
    assert service.candidates(store, settings, statuses=["confirmed"]) == []


@pytest.mark.parametrize(
    "arguments", [{"impacts": ["huge"]}, {"statuses": ["done"]}, {"register_statuses": ["x"]}, {"order": "beauty"}]
)
def test_an_unknown_word_is_wrong_use(store: Store, settings: Settings, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        service.candidates(store, settings, **arguments)


def test_a_verdict_is_stored_and_undone(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]["candidate_id"]
    decided = service.verdict(store, settings, first, "confirmed", "ana", notes="pit", moved=[-43.9, -20.1])
    assert (decided["status"], decided["verdict_by"], decided["notes"]) == ("confirmed", "ana", "pit")
    assert (decided["lon"], decided["lat"], decided["is_moved"]) == (-43.9, -20.1, True)
    undone = service.undo(store, settings, "ana")
    assert undone is not None
    assert (undone["candidate_id"], undone["status"], undone["is_moved"]) == (first, "undecided", False)
    assert service.undo(store, settings, "ana") is None


def test_a_gesture_is_undone_as_a_whole(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    both = [candidate["candidate_id"] for candidate in service.candidates(store, settings)]
    store.record([new_verdict(name, Status.UNSURE, "ana", batch_id="b1") for name in both])
    undone = service.undo(store, settings, "ana")
    assert undone is not None
    assert undone["undone"] == both
    assert {c["status"] for c in service.candidates(store, settings)} == {"undecided"}


def test_a_verdict_takes_a_drawn_outline(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]
    outline = {"type": "Feature", "properties": {}, "geometry": mapping(box(-44, -20, -43.99, -19.99))}
    decided = service.verdict(store, settings, first["candidate_id"], "confirmed", "ana", footprint=outline)
    assert decided["area_drawn_ha"] == pytest.approx(116, abs=1)
    assert (decided["area_cells_ha"], decided["geometry"]) == (first["area_cells_ha"], first["geometry"])
    assert decided["footprint"]["type"] == "Polygon"
    assert (first["footprint"], first["area_drawn_ha"], first["seen"]) == (None, None, False)


def test_candidates_are_chosen_by_place_score_and_verdict(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    first, second = service.candidates(store, settings)
    lon, lat = first["peak_lon"], first["peak_lat"]
    assert names(service.candidates(store, settings, box=[lon, lat, lon, lat])) == ["0001"]
    assert names(service.candidates(store, settings, score_max=second["score"])) == ["0002"]
    service.verdict(store, settings, second["candidate_id"], "rejected", "bea", reason="urban")
    assert names(service.candidates(store, settings, reasons=["urban"], analysts=["bea"])) == ["0002"]
    store.mark_seen([first["candidate_id"]], "ana")
    assert names(service.candidates(store, settings, seen=True)) == ["0001"]
    assert names(service.candidates(store, settings, lands=["nowhere"])) == []


@pytest.mark.parametrize("box_edges", [[1, 2, 3], [0, 0, -1, 1], [0, 1, 1, 0], [float("nan")] * 4])
def test_a_box_that_is_none_is_wrong_use(store: Store, settings: Settings, box_edges: list[float]) -> None:
    with pytest.raises(UsageError, match="west, south, east, north"):
        service.candidates(store, settings, box=box_edges)


def test_candidates_say_their_priority_and_the_terms_of_it(store: Store, settings: Settings, run_dir: Path) -> None:
    heavy = dataclasses.replace(settings, priority_weights=PriorityWeights(0, 0, 0, 10, 0, 0))
    service.take_in(store, settings, str(run_dir))
    found = service.candidates(store, heavy, order="priority")
    assert [c["priority"]["total"] for c in found] == [pytest.approx(10 * c["score"]) for c in found]
    assert [term["name"] for term in found[0]["priority"]["terms"]][3] == "score"


def test_the_history_of_candidates_comes_when_it_is_asked_for(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]["candidate_id"]
    service.verdict(store, settings, first, "confirmed", "ana")
    service.undo(store, settings, "ana")
    decided, other = service.candidates(store, settings, with_history=True)
    assert [(event["verdict"], event["analyst"]) for event in decided["history"]] == [
        ("confirmed", "ana"),
        ("undecided", "ana"),
    ]
    assert other["history"] == []
    assert "history" not in service.candidates(store, settings)[0]
    json.dumps(decided, allow_nan=False)


def test_the_same_verdict_sent_twice_is_one(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]["candidate_id"]
    for _ in range(2):
        service.verdict(store, settings, first, "rejected", "ana", reason="urban", event_id="one-and-the-same")
    assert len(store.history(first)) == 1


def test_a_rejection_without_a_reason_counts_as_other(store: Store, settings: Settings, run_dir: Path) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]["candidate_id"]
    assert service.verdict(store, settings, first, "rejected", "ana")["reason"] == "other"


@pytest.mark.parametrize(
    ("verdict", "arguments"),
    [
        ("rejected", {"reason": "boredom"}),
        ("maybe", {}),
        ("confirmed", {"impact": "enormous"}),
        ("confirmed", {"moved": [1.0]}),
        ("confirmed", {"moved": [200.0, 0.0]}),
    ],
)
def test_a_verdict_that_makes_no_sense_is_wrong_use(
    store: Store, settings: Settings, run_dir: Path, verdict: str, arguments: dict[str, Any]
) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]["candidate_id"]
    with pytest.raises(UsageError):
        service.verdict(store, settings, first, verdict, "ana", **arguments)
    assert store.history(first) == []


def test_a_verdict_on_nothing_is_a_store_error(store: Store, settings: Settings) -> None:
    with pytest.raises(StoreError):
        service.verdict(store, settings, "20260101-000000-abcd-0001", "confirmed", "ana")


def test_a_register_changes_the_status_of_candidates_that_were_there(
    store: Store, settings: Settings, run_dir: Path, sigbm: Path
) -> None:
    service.take_in(store, settings, str(run_dir))
    added = service.registers_add(store, settings, "sigbm", str(sigbm), as_of="2026-01-02", coverage="MG")
    assert added["snapshot"]["rows"] == 1
    assert [problem["line"] for problem in added["problems"]] == [3]
    assert [(change["before"], change["after"]) for change in added["changes"]] == [("not_checked", "registered")]
    first = service.candidates(store, settings)[0]
    assert first["register_status"] == "registered"
    assert "2026-01-02" in first["registers_as_of"]
    retired = service.registers_retire(store, settings, added["snapshot"]["snapshot_id"])
    assert [change["after"] for change in retired["changes"]] == ["not_checked"]
    assert service.registers_list(store, settings) == []
    assert len(service.registers_list(store, settings, include_retired=True)) == 1


def test_a_register_covers_the_polygon_that_is_given(
    store: Store, settings: Settings, run_dir: Path, sigbm: Path
) -> None:
    covered = mapping(box(-45, -21, -43, -19))
    added = service.registers_add(store, settings, "sigbm", str(sigbm), coverage_polygon=covered)
    assert added["snapshot"]["coverage"] == "polygon"


@pytest.mark.parametrize("as_of", ["yesterday", "2026-13-01", "01/02/2026"])
def test_a_date_that_is_none_is_wrong_use(store: Store, settings: Settings, sigbm: Path, as_of: str) -> None:
    with pytest.raises(UsageError):
        service.registers_add(store, settings, "sigbm", str(sigbm), as_of=as_of)


def test_an_export_and_a_tally_come_from_the_same_candidates(
    store: Store, settings: Settings, run_dir: Path, tmp_path: Path
) -> None:
    service.take_in(store, settings, str(run_dir))
    first = service.candidates(store, settings)[0]["candidate_id"]
    service.verdict(store, settings, first, "confirmed", "ana")
    assert service.export(store, settings, str(tmp_path / "a.csv"), "csv")["rows"] == 0
    written = service.export(store, settings, str(tmp_path / "b.csv"), "csv", include_all=True)
    assert (written["rows"], written["by_register_status"]) == (2, {"not_checked": 2})
    tally = service.summary(store, settings)
    assert (tally["confirmed"], tally["unregistered"], tally["not_checked"]) == (1, 0, 1)
    assert [row["run_id"] for row in service.runs(store, settings)] == ["20260101-000000-abcd"]


def ask(store: Store, settings: Settings, token: str, body: object) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.handle_request(store, settings, token, content)


def test_the_door_answers_with_the_verbs_result(store: Store, settings: Settings, run_dir: Path) -> None:
    token = owner.announce(settings, 1)
    status, answer = ask(store, settings, token, {"verb": "take_in", "arguments": {"run_dir": str(run_dir)}})
    assert (status, answer["result"]["new"]) == (200, 3)
    status, answer = ask(store, settings, token, {"verb": "candidates"})
    assert answer == {"result": json.loads(json.dumps(service.candidates(store, settings)))}


@pytest.mark.parametrize("token", ["", "wrong"])
def test_the_door_stays_shut_without_the_token(store: Store, settings: Settings, token: str, run_dir: Path) -> None:
    owner.announce(settings, 1)
    status, _ = ask(store, settings, token, {"verb": "take_in", "arguments": {"run_dir": str(run_dir)}})
    assert status == 403
    assert service.runs(store, settings) == []


def test_the_door_stays_shut_when_nobody_announced_itself(store: Store, settings: Settings) -> None:
    assert ask(store, settings, "", {"verb": "candidates"})[0] == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        {"verb": 1},
        {"verb": "candidates", "arguments": []},
        {"verb": "drop"},
        {"verb": "__class__"},
        {"verb": "candidates", "arguments": {"nonsense": 1}},
        {"verb": "candidates", "arguments": {"store": 1}},
        {"verb": "undo", "arguments": {}},
        b'{"verb": "candidates", "arguments": {' + b" " * 100,
    ],
)
def test_a_request_that_makes_no_sense_is_refused_as_wrong_use(store: Store, settings: Settings, body: object) -> None:
    token = owner.announce(settings, 1)
    status, answer = ask(store, settings, token, body)
    assert status == 422
    assert answer["error"]["type"] == "UsageError"


def test_a_request_that_is_too_large_is_refused(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "LARGEST_BODY", 50)
    token = owner.announce(settings, 1)
    status, answer = ask(store, settings, token, {"verb": "candidates", "arguments": {"run_id": "x" * 50}})
    assert (status, answer["error"]["type"]) == (422, "UsageError")


def test_a_verb_that_breaks_is_logged_and_told_without_its_traceback(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(door.VERBS, "candidates", lambda _store, _settings: 1 / 0)
    status, answer = ask(store, settings, owner.announce(settings, 1), {"verb": "candidates"})
    assert status == 500
    assert "ZeroDivisionError" in answer["error"]["found"]
    assert "Traceback" not in json.dumps(answer)
    assert "Traceback" in caplog.text


def test_a_verb_runs_here_when_nobody_owns_the_database(settings: Settings, run_dir: Path) -> None:
    assert service.run_verb(settings, "take_in", {"run_dir": str(run_dir)})["new"] == 3
    assert len(service.run_verb(settings, "candidates", {})) == 2


def test_an_unknown_verb_opens_nothing(settings: Settings) -> None:
    with pytest.raises(UsageError):
        service.run_verb(settings, "drop", {})
    with pytest.raises(UsageError):
        service.run_verb(settings, "candidates", {"nonsense": 1})
    assert not settings.database.exists()


def taken(_path: Path) -> Store:
    raise StoreOwned("the database is open elsewhere")


def test_a_database_that_stays_taken_is_told_after_some_patience(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.Store, "open", taken)
    with pytest.raises(StoreError, match="another process"):
        service.run_verb(settings, "candidates", {}, patience_seconds=0.2)


def test_a_database_that_is_given_free_meanwhile_is_used_here(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def taken_at_first(path: Path) -> Store:
        attempts.append(1)
        return taken(path) if len(attempts) < 3 else Store.in_memory()

    monkeypatch.setattr(door.Store, "open", taken_at_first)
    assert service.run_verb(settings, "candidates", {}, patience_seconds=10) == []
    assert len(attempts) == 3


def test_an_error_of_the_owner_is_raised_here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RegisterError("no such file")

    monkeypatch.setattr(door.Store, "open", taken)
    monkeypatch.setattr(owner, "send", refuse)
    owner.announce(settings, 1)
    with pytest.raises(RegisterError):
        service.run_verb(settings, "registers_add", {"kind": "sigbm", "path": "x"})


def test_every_verb_says_what_it_does() -> None:
    assert [name for name, verb in service.VERBS.items() if not verb.__doc__] == []


def test_only_plain_values_have_a_json_form() -> None:
    assert plain({Impact.HIGH: (Impact.LOW, None, Path("/a"), 1.5, True)}) == {"high": ["low", None, "/a", 1.5, True]}
    with pytest.raises(TypeError):
        plain(object())


def test_errors_at_the_door_keep_their_kind(store: Store, settings: Settings, tmp_path: Path) -> None:
    token = owner.announce(settings, 1)
    status, answer = ask(store, settings, token, {"verb": "take_in", "arguments": {"run_dir": str(tmp_path)}})
    assert status == 422
    assert isinstance(owner.error_from_json(answer["error"]), RunError)
    assert isinstance(owner.error_from_json(answer["error"]), MinediscError)
