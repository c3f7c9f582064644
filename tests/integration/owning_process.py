"""A process that owns a home's database and answers at the door, as the app does, without the app's screen.

`python owning_process.py HOME [--silent]`; prints a line once it is ready. `--silent` has the file but no door.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from minedisc_core import owner, service
from minedisc_core.settings import load_settings
from minedisc_core.store import Store

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background starts with it ignored
settings = load_settings({}, Path(sys.argv[1]))
store = Store.open(settings.database)


class Door(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers.get(owner.TOKEN_HEADER, "")
        status, answer = service.handle_request(store, settings, token, body)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


try:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    if "--silent" not in sys.argv:
        owner.announce(settings, server.server_port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if "--silent" in sys.argv:
        time.sleep(600)
    server.serve_forever()
finally:
    owner.withdraw(settings)
