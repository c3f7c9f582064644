"""A file server on loopback that answers range requests, counts its bytes and can be told to fail."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, Literal

Fault = Literal["missing", "stalls", "busy once"]
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CHUNK = 1 << 16
_STALL_STEP_S = 0.1


@dataclass
class RangeServer:
    """A running server of one folder; faults may be set while it runs."""

    url: str
    """`http://127.0.0.1:PORT`, without a slash at the end."""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes of bodies by file name (path below the folder)."""
    requests: Counter[str] = field(default_factory=Counter)
    """Answered requests by file name, refused ones too."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """What goes wrong, by file name."""
    token: str = ""
    """If set, a query that every request must carry (a signed address); else 403."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def forget(self) -> None:
        """Start counting anew."""
        self.sent.clear()
        self.requests.clear()


@contextmanager
def serve_ranges(folder: Path) -> Iterator[RangeServer]:
    """Serve the files of a folder on 127.0.0.1, on a free port."""
    state = RangeServer("")

    class Handler(_Handler):
        root, server_state = folder, state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    root: Path
    server_state: RangeServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, has_body: bool) -> None:
        name, _, query = self.path.lstrip("/").partition("?")
        state = self.server_state
        state.requests[name] += 1
        path = self.root / name
        refusal = self._refusal(name, query, path)
        if refusal:
            self._refuse(refusal)
            return
        if state.faults.get(name) == "stalls":
            while not state.is_over.wait(_STALL_STEP_S):
                pass
            self.close_connection = True
            return
        first, last, size = self._span(path.stat().st_size)
        if first >= size:
            self._refuse(416)
            return
        self._send_head(first, last, size)
        if has_body:
            with path.open("rb") as file:
                self._send_body(file, name, first, last)

    def _refusal(self, name: str, query: str, path: Path) -> int:
        state = self.server_state
        if state.token and query != state.token:
            return 403
        if state.faults.get(name) == "missing" or ".." in name or not path.is_file():
            return 404
        return 503 if state.faults.get(name) == "busy once" and state.faults.pop(name) else 0

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _span(self, size: int) -> tuple[int, int, int]:
        asked = _RANGE.match(self.headers.get("Range", ""))
        if not asked:
            return 0, size - 1, size
        return int(asked[1]), min(int(asked[2] or size - 1), size - 1), size

    def _send_head(self, first: int, last: int, size: int) -> None:
        is_part = "Range" in self.headers
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Last-Modified", self.date_time_string(time.time() // 3600 * 3600))
        self.end_headers()

    def _send_body(self, file: BinaryIO, name: str, first: int, last: int) -> None:
        file.seek(first)
        left = last - first + 1
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            self.wfile.write(chunk)
            self.server_state.sent[name] += len(chunk)
            left -= len(chunk)
