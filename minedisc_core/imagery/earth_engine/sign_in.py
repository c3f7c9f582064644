"""Signing in to Earth Engine with what the person already has: nothing is stored, and no secret reaches an error.

`ee` is imported inside the functions, so that a page can ask `what_is_missing` without paying for it.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from minedisc_core.errors import ImageryError, UsageError
from minedisc_core.imagery.composites.request import CompositeRequest

URL_VARIABLE = "MINEDISC_EE_URL"
"""Another address of Earth Engine's interface; only this machine or Google's own hosts."""
PROJECT_VARIABLE = "MINEDISC_EE_PROJECT"
KEY_VARIABLE = "MINEDISC_EE_SERVICE_ACCOUNT"
"""Path of a service account's JSON file."""
DEADLINE_S = 330.0
"""Longest answer that is waited for: Earth Engine itself gives up an interactive request after five minutes."""
_TRIES = 3
_TIMEOUT_S = 60.0

_lock = threading.Lock()
_signed_in: tuple[tuple[str, str, str], str] | None = None
"""What was asked for, and the project that is billed."""


def sign_in(
    project: str = "",
    service_account_file: Path | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> str:
    """Connect the library, once for the same project, file and address; safe from several threads.

    The library keeps one connection for the process: another project replaces it.

    Args:
        project: the cloud project that is billed; empty: `MINEDISC_EE_PROJECT`, else the credentials' own.
        service_account_file: key file; None: `MINEDISC_EE_SERVICE_ACCOUNT`, else the credentials that
            `earthengine authenticate` has stored.
        is_cancelled: asked while waiting.

    Returns:
        The project that is billed.

    Raises:
        Cancelled: `is_cancelled` said so.
        ImageryError: not signed in, not permitted, or Earth Engine cannot be reached.
        UsageError: the address or the key file cannot be used.
    """
    global _signed_in  # noqa: PLW0603 - the library itself is one per process
    url, key = _other_address(), _key_file(service_account_file)
    named = project or os.environ.get(PROJECT_VARIABLE, "")
    wanted = (named, str(key or ""), url)
    from minedisc_core.imagery.earth_engine.asking import held

    with held(_lock, is_cancelled):
        if _signed_in is None or _signed_in[0] != wanted:
            _signed_in = None
            _signed_in = (wanted, _connect(named, key, url, is_cancelled))
        return _signed_in[1]


def project_of(request: CompositeRequest) -> str:
    """The project that is billed for a request; empty: the credentials' own."""
    return request.project or os.environ.get(PROJECT_VARIABLE, "")


def what_is_missing(project: str = "", service_account_file: Path | None = None) -> str | None:
    """What a person has yet to do before Earth Engine can be used, in a sentence or two; None: nothing is missing.

    Looks at files and variables only: no network, no `ee`.
    """
    if importlib.util.find_spec("ee") is None:
        return "The package earthengine-api is not installed: run make install."
    try:
        if is_loopback(_other_address()):
            return None
        key = _key_file(service_account_file)
    except UsageError as error:
        return str(error)
    stored = Path.home() / ".config" / "earthengine" / "credentials"
    if key is None and not stored.exists() and not _application_credentials():
        return (
            "Nobody is signed in to Earth Engine on this machine: run .venv/bin/earthengine authenticate, "
            f"or let {KEY_VARIABLE} name the key file of a service account."
        )
    if key is None and not (project or os.environ.get(PROJECT_VARIABLE) or _stored_project(stored)):
        return (
            "No cloud project is named: give the id of one that is registered for Earth Engine (--project, "
            f"{PROJECT_VARIABLE}, or .venv/bin/earthengine set_project)."
        )
    return None


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine; an empty one is not."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _other_address() -> str:
    url = os.environ.get(URL_VARIABLE, "").rstrip("/")
    host = urlsplit(url).hostname or ""
    if url and not is_loopback(url) and not (url.startswith("https://") and host.endswith(".googleapis.com")):
        raise UsageError(
            f"{URL_VARIABLE} names the host {host or 'of no address'}",
            "an address of this machine or of googleapis.com, since credentials are sent there",
            f"unset {URL_VARIABLE}",
        )
    return url


def _key_file(named: Path | None) -> Path | None:
    text = str(named or os.environ.get(KEY_VARIABLE, ""))
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise UsageError(
            f"the key file of the service account, {path}, does not exist",
            "a JSON file as Google Cloud gives it (IAM, Service accounts, Keys)",
            f"correct {KEY_VARIABLE} or --service-account",
        )
    return path


def _application_credentials() -> bool:
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    usual = Path.home() / ".config" / "gcloud" / "application_default_credentials.json"
    return bool(named and Path(named).is_file()) or usual.is_file()


def _stored_project(stored: Path) -> str:
    try:
        told = json.loads(stored.read_text("utf-8"))
    except (OSError, ValueError):
        return "unknown"  # application credentials, or a file that only the library understands
    return str(told.get("project") or "") if isinstance(told, dict) else ""


def _connect(project: str, key: Path | None, url: str, is_cancelled: Callable[[], bool]) -> str:
    """Connect; the project that is billed."""
    import ee

    from minedisc_core.imagery.earth_engine.asking import Asker, Patience

    credentials = _credentials(key, url)
    billed = project or _own_project(credentials)

    def connect() -> None:
        ee.Reset()
        ee.data.setMaxRetries(0)  # retries are ours: they can be cancelled
        ee.Initialize(credentials=credentials, url=url or None, project=billed or None)
        ee.data.setDeadline(DEADLINE_S * 1_000)

    Asker(1, Patience(tries=_TRIES, timeout_s=_TIMEOUT_S)).ask(connect, is_cancelled)
    return billed


def _credentials(key: Path | None, url: str) -> object:
    import ee

    from minedisc_core.imagery.earth_engine.asking import not_signed_in

    if is_loopback(url):
        return None  # a server of ours: no credentials leave their file
    try:
        if key is not None:
            return ee.ServiceAccountCredentials(None, key_file=str(key))
        return ee.data.get_persistent_credentials()
    except ee.EEException:
        refused = not_signed_in()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        refused = _unusable_key(key)
    raise refused  # outside the handler: the library's own error may quote the file


def _own_project(credentials: object) -> str:
    """The project of a service account or of the stored sign-in; a server of ours bills nobody."""
    if credentials is None:
        return "loopback"
    return str(getattr(credentials, "project_id", None) or getattr(credentials, "quota_project_id", None) or "")


def _unusable_key(key: Path | None) -> ImageryError:
    return ImageryError(
        f"the key file {key} cannot be used" if key else "the stored credentials of Earth Engine cannot be used",
        "the JSON file of a service account as Google Cloud gives it" if key else "",
        "make a new key" if key else "run .venv/bin/earthengine authenticate again",
    )
