"""Runs a verb where the database is: in this process, or in the one that owns the file, over loopback."""

from __future__ import annotations

import inspect
import json
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from minedisc_core import owner
from minedisc_core.errors import MinediscError, StoreError, StoreOwned, UsageError
from minedisc_core.service.verbs import VERBS
from minedisc_core.settings import Settings
from minedisc_core.store import Store

PATIENCE_SECONDS = 30.0
"""How long to wait for a process that has the file but no door: another command line, or an app that is starting."""
PAUSE_SECONDS = 0.1

_log = logging.getLogger(__name__)


def run_verb(
    settings: Settings, name: str, arguments: Mapping[str, Any], patience_seconds: float = PATIENCE_SECONDS
) -> Any:
    """Run a verb on this home's database, whoever owns it; its JSON result.

    Every verb can be repeated without harm (a verdict carries its own id), so a call whose answer was
    lost with the owner is made again here.

    Raises:
        UsageError: no such verb, or arguments that it does not take.
        StoreError: the database stays taken by a process that does not answer.
        MinediscError: what the verb itself raises.
    """
    check_call(name, arguments)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            with Store.open(settings.database) as store:
                return call(store, settings, name, arguments)
        except StoreOwned as owned:
            found = owner.find_owner(settings)
            if found:
                try:
                    return owner.send(found, name, arguments)
                except owner.OwnerGone as gone:
                    _log.info("the owner of %s does not answer: %s", settings.database, gone)
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{settings.database} is open in another process that does not answer",
                    "the database free, or the app that owns it up",
                    "end that process, or start the app again",
                ) from owned
        time.sleep(PAUSE_SECONDS)


def call(store: Store, settings: Settings, name: str, arguments: Mapping[str, Any]) -> Any:
    """Run a verb on an open store; what it gives is exactly what would arrive over loopback."""
    check_call(name, arguments)
    return json.loads(json.dumps(VERBS[name](store, settings, **arguments)))


def check_call(name: str, arguments: Mapping[str, Any]) -> None:
    """Check a call before anything is opened.

    Raises:
        UsageError: no such verb, or arguments that it does not take.
    """
    if name not in VERBS:
        raise UsageError(f"there is no verb {name!r}", ", ".join(VERBS))
    try:
        inspect.signature(VERBS[name]).bind(None, None, **arguments)
    except TypeError as error:
        raise UsageError(f"{name}: {error}", f"arguments {inspect.signature(VERBS[name])}") from error


def handle_request(store: Store, settings: Settings, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer one request at the loopback door: HTTP status and JSON object.

    Args:
        store: the store that this process owns.
        settings: its home.
        token: value of the header `owner.TOKEN_HEADER` ("" if it is missing).
        body: `{"verb": name, "arguments": {...}}`, at most `owner.LARGEST_BODY` bytes.
    """
    if not owner.is_token(settings, token):
        return HTTPStatus.FORBIDDEN, _refusal(StoreError("the token is missing or wrong"))
    try:
        name, arguments = _understand(body)
        return HTTPStatus.OK, {"result": call(store, settings, name, arguments)}
    except MinediscError as error:
        return HTTPStatus.UNPROCESSABLE_ENTITY, _refusal(error)
    except Exception as error:  # noqa: BLE001 - the last resort: logged here, told to the caller in one line
        _log.exception("a verb failed at the door")
        kind = type(error).__name__
        return HTTPStatus.INTERNAL_SERVER_ERROR, _refusal(StoreError(f"{kind}: {error}", remedy="see the app's log"))


def _understand(body: bytes) -> tuple[str, dict[str, Any]]:
    """Verb and arguments of a request.

    Raises:
        UsageError: the body is too large, or is not what `owner.send` writes.
    """
    if len(body) > owner.LARGEST_BODY:
        raise UsageError("the request is too large", f"at most {owner.LARGEST_BODY:,} bytes")
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise UsageError("the request is not JSON") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("verb"), str):
        raise UsageError("the request names no verb", '{"verb": name, "arguments": {...}}')
    arguments = asked.get("arguments", {})
    if not isinstance(arguments, dict):
        raise UsageError("the request's arguments are no object", '{"verb": name, "arguments": {...}}')
    return asked["verb"], arguments


def _refusal(error: MinediscError) -> dict[str, Any]:
    return {"error": owner.error_to_json(error)}
