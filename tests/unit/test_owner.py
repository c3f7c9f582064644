from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core import errors, owner
from minedisc_core.errors import MinediscError, RegisterError, StoreError, UsageError
from minedisc_core.settings import Settings


def read_server_file(settings: Settings) -> dict[str, Any]:
    return dict(json.loads((settings.home / owner.SERVER_FILE).read_text()))


def change_server_file(settings: Settings, **changes: object) -> None:
    path = settings.home / owner.SERVER_FILE
    path.write_text(json.dumps(read_server_file(settings) | changes))


def test_the_server_file_can_be_read_by_its_user_only(settings: Settings) -> None:
    owner.announce(settings, 8501)
    assert stat.S_IMODE((settings.home / owner.SERVER_FILE).stat().st_mode) == 0o600


def test_what_was_announced_is_found(settings: Settings) -> None:
    token = owner.announce(settings, 8501, "mines/")
    found = owner.find_owner(settings)
    assert found is not None
    assert (found.port, found.token, found.pid) == (8501, token, os.getpid())
    assert found.path == "/mines/minedisc/api/verb"


def test_each_announcement_has_a_token_of_its_own(settings: Settings) -> None:
    first, second = owner.announce(settings, 8501), owner.announce(settings, 8501)
    assert first != second
    assert not owner.is_token(settings, first)
    assert owner.is_token(settings, second)


@pytest.mark.parametrize("given_token", ["", "x", "é", "a" * 1000])
def test_a_wrong_token_is_none(settings: Settings, given_token: str) -> None:
    owner.announce(settings, 8501)
    assert not owner.is_token(settings, given_token)


def test_without_an_announcement_nobody_owns_the_home_and_no_token_fits(settings: Settings) -> None:
    assert owner.find_owner(settings) is None
    assert not owner.is_token(settings, "")


def test_an_owner_that_died_is_no_owner(settings: Settings) -> None:
    owner.announce(settings, 8501)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    change_server_file(settings, pid=child.pid)
    assert owner.find_owner(settings) is None


def test_another_process_under_the_same_number_is_no_owner(settings: Settings) -> None:
    owner.announce(settings, 8501)
    change_server_file(settings, started=read_server_file(settings)["started"] - 100)
    assert owner.find_owner(settings) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"port": 1}', '{"port": "x", "token": 1, "pid": []}', "\0"])
def test_a_broken_server_file_means_no_owner(settings: Settings, text: str) -> None:
    (settings.home / owner.SERVER_FILE).write_text(text)
    assert owner.find_owner(settings) is None
    assert not owner.is_token(settings, "x")


def test_withdrawing_takes_away_ones_own_announcement(settings: Settings) -> None:
    owner.announce(settings, 8501)
    owner.withdraw(settings)
    assert not (settings.home / owner.SERVER_FILE).exists()
    owner.withdraw(settings)


def test_withdrawing_leaves_another_process_announcement(settings: Settings) -> None:
    owner.announce(settings, 8501)
    change_server_file(settings, pid=os.getppid())
    owner.withdraw(settings)
    assert (settings.home / owner.SERVER_FILE).exists()


class Answer:
    """A server on loopback that gives one fixed answer and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b'{"result": 1}'
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, self.headers[owner.TOKEN_HEADER], body))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.me = owner.Owner(self.server.server_port, "secret", os.getpid(), 0.0)


@pytest.fixture
def answer() -> Iterator[Answer]:
    made = Answer()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_verb_is_sent_with_its_arguments_and_the_token(answer: Answer) -> None:
    assert owner.send(answer.me, "candidates", {"limit": 5}) == 1
    expected = {"verb": "candidates", "arguments": {"limit": 5}}
    assert answer.asked == [(owner.VERB_PATH, "secret", expected)]


def test_a_proxy_of_the_environment_is_not_asked(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert owner.send(answer.me, "candidates", {}) == 1


def test_an_error_over_there_is_the_same_error_here(answer: Answer) -> None:
    answer.status = 422
    answer.body = json.dumps({"error": owner.error_to_json(RegisterError("a", "b", "c"))}).encode()
    with pytest.raises(RegisterError) as caught:
        owner.send(answer.me, "registers_add", {})
    assert (caught.value.found, caught.value.expected, caught.value.remedy) == ("a", "b", "c")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"1"])
def test_something_else_on_that_port_is_no_owner(answer: Answer, body: bytes) -> None:
    answer.body = body
    with pytest.raises(owner.OwnerGone):
        owner.send(answer.me, "candidates", {})


def test_a_token_that_is_refused_belongs_to_an_owner_that_has_gone(answer: Answer) -> None:
    answer.status, answer.body = 403, b'{"error": {}}'
    with pytest.raises(owner.OwnerGone):
        owner.send(answer.me, "candidates", {})


def test_a_port_where_nobody_listens_is_an_owner_that_has_gone(answer: Answer) -> None:
    unused = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = unused.server_port
    unused.server_close()
    with pytest.raises(owner.OwnerGone):
        owner.send(owner.Owner(port, "t", 1, 0.0), "candidates", {})


ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MinediscError)]


@given(st.sampled_from(ERRORS), st.text(), st.text(), st.text())
def test_errors_survive_the_journey(kind: type[MinediscError], found: str, expected: str, remedy: str) -> None:
    sent = owner.error_to_json(kind(found, expected, remedy))
    back = owner.error_from_json(json.loads(json.dumps(sent)))
    assert type(back) is kind
    assert (back.found, back.expected, back.remedy) == (found, expected, remedy)


@pytest.mark.parametrize("kind", ["Nonsense", "annotations", "Exception", "", "__name__"])
def test_an_unknown_error_type_becomes_a_store_error(kind: str) -> None:
    assert type(owner.error_from_json({"type": kind, "found": "x"})) is StoreError


def test_a_usage_error_stays_one_so_that_the_exit_code_is_the_same() -> None:
    assert isinstance(owner.error_from_json(owner.error_to_json(UsageError("x"))), UsageError)
