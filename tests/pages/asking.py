"""Requests straight into the app's routes, as a server would send them, and the bodies that the panel sends."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette

from minedisc_core.errors import MinediscError
from pages import routes, shared

RUN = "20260102-030405-abcd"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(path: str, method: str = "GET", body: bytes = b"", host: str = "127.0.0.1", **headers: str) -> Answer:
    """Send one request straight into the routes, as a server would."""
    app = Starlette(routes=routes.routes("/base"), exception_handlers={MinediscError: routes.explain})
    path, _, query = path.partition("?")
    sent: list[dict[str, Any]] = []
    named = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
        "method": method, "path": f"/base{path}",
        "raw_path": path.encode(), "root_path": "", "query_string": query.encode(), "headers": named,
        "client": (host, 1), "server": ("127.0.0.1", 80), "scheme": "http",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    # In a thread of its own: a browser test that ran earlier in this process keeps a loop in the main thread.
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return Answer(sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, content)


def token(scope: str) -> str:
    return shared.house().signer.token(scope)


def ask_verdicts(*events: dict[str, Any]) -> Answer:
    body = json.dumps({"events": events, "run": RUN, "analyst": "Ana"}).encode()
    return ask("/minedisc/review/verdicts", "POST", body, X_Minedisc_Token=token("review"))


def send_verdicts(*events: dict[str, Any]) -> Any:
    return ask_verdicts(*events).json()


def verdict(candidate_id: str, status: str, **more: Any) -> dict[str, Any]:
    return {"event_id": str(uuid4()), "candidate_id": candidate_id, "verdict": status, "analyst": "Ana", **more}
