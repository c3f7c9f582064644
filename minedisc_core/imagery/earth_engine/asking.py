"""A call to Earth Engine: retried for what passes by itself, given up at once when cancelled, refused in words.

Source: Earth Engine guides, "Earth Engine quotas" (429), "Debugging guide" (limits of memory and time).
"""

from __future__ import annotations

import queue
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import ee
import google.auth.exceptions
import googleapiclient.errors

from minedisc_core.errors import Cancelled, ImageryError

_Answer = TypeVar("_Answer")
EXPECTED_ERRORS = (
    ee.EEException,
    OSError,
    google.auth.exceptions.GoogleAuthError,
    googleapiclient.errors.Error,
)
"""What the library raises: refusals, connections and time-outs, credentials."""
POLL_SECONDS = 0.2
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_TOO_MUCH = re.compile(
    r"memory (?:limit|capacity) exceeded|computation timed out|request size .* must be|too (?:many pixels|large)",
    re.IGNORECASE,
)
_NOT_SIGNED_IN = re.compile(r"please authorize|authenticat|credential|invalid_grant|unauthenticated", re.IGNORECASE)
_NO_PROJECT = re.compile(r"no project|ee\.Initialize: ", re.IGNORECASE)
_NOT_PERMITTED = re.compile(
    r"permission|not registered|not signed up|has not been used in project|disabled", re.IGNORECASE
)
_SECRETS = re.compile(
    r"https?://\S+|-----BEGIN.*?(?:-----END[^-]*-----|$)|\bya29\.\S+|\b1//\S+|\bAIza\S+|\bGOCSPX\S+|\beyJ\S+|"
    r"\bbearer\s+\S+|[\w-]*(?:token|secret|password|private_key|api_?key|credential)\w*[\"']?\s*[:=]\s*[\"']?\S+",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_WORDS = 200


class TooMuch(ImageryError):
    """Earth Engine's limit for one request (bytes, memory, time): a smaller window may do."""


@dataclass(frozen=True)
class Patience:
    """How long and how often a call is tried."""

    tries: int = 7
    pause_s: float = 1.0
    """Before the second try; doubled each time, with jitter so that threads do not come back together."""
    longest_pause_s: float = 32.0
    timeout_s: float = 320.0
    """Longest wait for one answer."""

    def pause_after(self, attempt: int) -> float:
        """Seconds to wait after the failure number `attempt` (from 1), with jitter."""
        most = min(self.longest_pause_s, self.pause_s * 2.0 ** (attempt - 1))
        return most * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


class Asker:
    """Makes calls, at most `most_in_flight` at once in all threads that share it."""

    def __init__(self, most_in_flight: int, patience: Patience) -> None:
        self._places = threading.BoundedSemaphore(most_in_flight)
        self._patience = patience

    def ask(self, call: Callable[[], _Answer], is_cancelled: Callable[[], bool]) -> _Answer:
        """The call's answer.

        Raises:
            TooMuch: the request is over a limit of Earth Engine.
            ImageryError: it is refused, or failed in every try.
            Cancelled: `is_cancelled` said so, noticed within `POLL_SECONDS`.
        """
        attempt = 0
        while True:
            answer = self._try(call, is_cancelled)
            if not isinstance(answer, _Failure):
                return answer.answer
            attempt += 1
            if attempt >= self._patience.tries or not is_passing(answer.error):
                raise explained(answer.error, attempt)
            _wait(self._patience.pause_after(attempt), is_cancelled)

    def _try(self, call: Callable[[], _Answer], is_cancelled: Callable[[], bool]) -> _Success[_Answer] | _Failure:
        """One try in a thread of its own, because a request on its way cannot be stopped, only left behind."""
        while not self._places.acquire(timeout=POLL_SECONDS):
            _stop_if(is_cancelled)
        answers: queue.SimpleQueue[_Success[_Answer] | _Failure | _Surprise] = queue.SimpleQueue()
        threading.Thread(target=_run, args=(call, answers, self._places), daemon=True).start()
        until = time.monotonic() + self._patience.timeout_s
        while time.monotonic() < until:
            _stop_if(is_cancelled)
            try:
                answer = answers.get(timeout=min(POLL_SECONDS, self._patience.timeout_s))
            except queue.Empty:
                continue
            if isinstance(answer, _Surprise):
                raise answer.error
            return answer
        return _Failure(TimeoutError(f"no answer within {self._patience.timeout_s:g} s"))


@dataclass(frozen=True)
class _Success(Generic[_Answer]):
    answer: _Answer


@dataclass(frozen=True)
class _Failure:
    error: BaseException


@dataclass(frozen=True)
class _Surprise:
    """An error that is no refusal: a fault of ours, raised where the call was asked for."""

    error: BaseException


def _run(
    call: Callable[[], _Answer],
    answers: queue.SimpleQueue[_Success[_Answer] | _Failure | _Surprise],
    places: threading.BoundedSemaphore,
) -> None:
    try:
        answers.put(_Success(call()))
    except EXPECTED_ERRORS as error:
        answers.put(_Failure(error))
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
        answers.put(_Surprise(error))
    finally:
        places.release()


@contextmanager
def held(lock: threading.Lock, is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold a lock; waiting for it can be cancelled.

    Raises:
        Cancelled: `is_cancelled` said so.
    """
    while not lock.acquire(timeout=POLL_SECONDS):
        _stop_if(is_cancelled)
    try:
        yield
    finally:
        lock.release()


def is_passing(error: BaseException) -> bool:
    """Whether the same call may well succeed in a moment: quota, server errors, connection, time-out."""
    status = status_of(error)
    if status is not None:
        return status in _PASSING
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return isinstance(error, google.auth.exceptions.TransportError)
    return isinstance(error, OSError)


def explained(error: BaseException, tries: int = 1) -> ImageryError:
    """The refusal or failure in words, without addresses and without anything that looks like a secret."""
    status, text = status_of(error), str(error)
    words = without_secrets(text)
    if isinstance(error, google.auth.exceptions.RefreshError) or status == 401 or _asks_for_sign_in(status, text):
        return not_signed_in()
    if _NO_PROJECT.search(text):
        return ImageryError(
            "No cloud project is named for Earth Engine",
            "the id of a project that is registered for Earth Engine",
            "give --project or set MINEDISC_EE_PROJECT",
        )
    if status == 403 or (status is None and _NOT_PERMITTED.search(text)):
        return ImageryError(
            f"Earth Engine does not permit this ({words})",
            "a project that is registered for Earth Engine, and an account that may use it",
            "check --project and its roles (Earth Engine Resource Viewer, Service Usage Consumer)",
        )
    if _TOO_MUCH.search(text):
        return TooMuch(
            f"The request is over a limit of Earth Engine ({words})",
            "at most 48 MB, 32,768 px a side and five minutes a request",
            "choose fewer days, a lower --cloud, or an export (--export drive)",
        )
    return _failed(error, status, words, tries)


def not_signed_in() -> ImageryError:
    """What a person without credentials, or with old ones, is told."""
    return ImageryError(
        "Nobody is signed in to Earth Engine here, or the sign-in has ended",
        "credentials that earthengine authenticate has stored, or the key file of a service account",
        "run .venv/bin/earthengine authenticate, or let MINEDISC_EE_SERVICE_ACCOUNT name the key file",
    )


def without_secrets(text: str) -> str:
    """The text on one line, shortened, with addresses, keys and tokens taken out."""
    clean = re.sub(r"\s+", " ", _SECRETS.sub("[...]", text)).strip()
    return clean if len(clean) <= _LONGEST_WORDS else clean[:_LONGEST_WORDS] + " ..."


def _failed(error: BaseException, status: int | None, words: str, tries: int) -> ImageryError:
    times = f" in {tries} tries" if tries > 1 else ""
    if status == 429:
        return ImageryError(
            f"Earth Engine's quota is used up ({words}){times}",
            "",
            "wait and go on with --resume, or ask for more quota",
        )
    if status is None and isinstance(error, TimeoutError):
        return ImageryError(f"Earth Engine did not answer in time{times}", "", "go on later with --resume")
    if status is None and isinstance(error, OSError | google.auth.exceptions.TransportError):
        return ImageryError(f"Earth Engine cannot be reached{times}", "", "check the connection, go on with --resume")
    if status is not None and status >= 500:
        return ImageryError(f"Earth Engine failed (HTTP {status}: {words}){times}", "", "go on later with --resume")
    return ImageryError(f"Earth Engine refused the request ({words})", "", "choose other dates, area or bands")


def _asks_for_sign_in(status: int | None, text: str) -> bool:
    return status is None and bool(_NOT_SIGNED_IN.search(text)) and not _NO_PROJECT.search(text)


def status_of(error: BaseException) -> int | None:
    """The HTTP status behind an error; the library keeps it only in the error that it translates."""
    for one in (error, error.__cause__, error.__context__):
        status = getattr(getattr(one, "resp", None), "status", None)
        if status is not None:
            return int(status)
    return None


def _wait(seconds: float, is_cancelled: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        _stop_if(is_cancelled)
        time.sleep(min(POLL_SECONDS, left))


def _stop_if(is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise Cancelled("The composite was cancelled.")
