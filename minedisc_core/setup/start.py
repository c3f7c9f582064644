"""What `make run` does once everything is installed: the demo area, the app, its address, its log."""

from __future__ import annotations

import argparse
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from minedisc_core.errors import MinediscError, UsageError
from minedisc_core.settings import PROJECT_ROOT, Settings, load_settings

START_SECONDS = 300
"""How long the app may take to answer: its first start compiles and imports a lot."""


def main(arguments: list[str] | None = None) -> int:
    """Start the app and stay until it ends; the exit code."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", default="8501")
    parser.add_argument("--address", default="127.0.0.1")
    asked = parser.parse_args(arguments)
    try:
        settings = load_settings()
        port = checked_port(asked.port)
        check_free(asked.address, port)
        prepare_demo(settings)
        return serve(settings, asked.address, port)
    except MinediscError as error:
        print(f"minedisc: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("\nminedisc: stopped.")
        return 0


def checked_port(text: str) -> int:
    """The port as a number.

    Raises:
        UsageError: it is none.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise UsageError(f"PORT is {text!r}", "a number from 1 to 65535", "make run PORT=8502")
    return int(text)


def check_free(address: str, port: int) -> None:
    """Make sure that nothing listens there yet.

    Raises:
        MinediscError: the port is taken, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise MinediscError(
                f"the app cannot listen on {address} port {port} ({error.strerror})",
                "a free port of this machine",
                f"stop the program that uses it (minedisc itself, perhaps), or: make run PORT={port + 1}",
            ) from error


def prepare_demo(settings: Settings) -> None:
    """Prepare the demo area if it is missing; without it the app starts all the same."""
    from minedisc_core.cli.demo import demo_is_ready

    if demo_is_ready(settings):
        return
    print(f"minedisc: preparing the demo area in {settings.demo} (once, a minute or two) ...", flush=True)
    command = [program("minedisc"), "demo", "--home", str(settings.home)]
    if subprocess.run(command, cwd=PROJECT_ROOT, check=False).returncode:
        print("minedisc: NOTICE: the demo area is not complete; `minedisc demo` tries again.", file=sys.stderr)


def program(name: str) -> str:
    """A console script of the environment that runs this."""
    return str(Path(sys.executable).parent / name)


def serve(settings: Settings, address: str, port: int) -> int:
    """Run streamlit until it ends or Ctrl-C; everything it prints goes to the log too."""
    settings.home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *streamlit_options(settings, address, port)]
    app = subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        if number == signal.SIGTERM:  # Ctrl-C reaches the app by itself, as it belongs to the same terminal
            app.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    copy = threading.Thread(target=copy_output, args=(app, settings, stopping), daemon=True)
    copy.start()
    if wait_until_up(app, address, port):
        print(f"minedisc: the app is at {url(address, port)} (Ctrl-C stops it; log: {settings.log})", flush=True)
    code = app.wait()
    copy.join(5)
    if stopping.is_set():
        print("minedisc: stopped.", flush=True)
    return 0 if stopping.is_set() or code == 0 else 1


def streamlit_options(settings: Settings, address: str, port: int) -> list[str]:
    """Options that win over any configuration of the user's; the rest is in .streamlit/config.toml."""
    options = {
        "server.port": port,
        "server.address": address,
        "server.headless": "true",
        "server.maxUploadSize": settings.upload_max_mb,
        "browser.gatherUsageStats": "false",
        "logger.hideWelcomeMessage": "true",
    }
    return [f"--{name}={value}" for name, value in options.items()]


def copy_output(app: subprocess.Popen[bytes], settings: Settings, stopping: threading.Event) -> None:
    """Copy the app's own output to the terminal (until it is told to stop) and to the log file, line by line."""
    if app.stdout is None:
        return
    with settings.log.open("ab", buffering=0) as log:
        for line in app.stdout:
            log.write(line)
            if not stopping.is_set():
                sys.stdout.write(line.decode(errors="replace"))
                sys.stdout.flush()


def wait_until_up(app: subprocess.Popen[bytes], address: str, port: int) -> bool:
    """Whether the app answers before it ends or the time is over."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared with, not bound to
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and app.poll() is None:
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == http.client.OK:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    return False


def url(address: str, port: int) -> str:
    """The address as a person types it."""
    host = "localhost" if address in ("127.0.0.1", "0.0.0.0", "::", "::1") else address  # noqa: S104 - see above
    return f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
