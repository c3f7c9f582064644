"""A real STAC API (rustac) on loopback over generated scenes whose files a range server gives out."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minedisc_core.bench.mosaic_scenes import COLLECTION, Acquisitions, make_scenes
from minedisc_core.bench.range_server import RangeServer, serve_ranges

BEGIN, END = "2023-05-01", "2023-09-01"
"""Days that hold every generated scene."""


@dataclass(frozen=True)
class StacServer:
    """A catalogue that answers."""

    url: str
    """Address of the API."""
    made: Acquisitions
    files: RangeServer
    folder: Path


@contextmanager
def serve_stac(
    folder: Path, *, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda items: items, **scenes: Any
) -> Iterator[StacServer]:
    """Make scenes in a folder (`scenes`: see `make_scenes`), serve their files and the catalogue of them."""
    files_folder = folder / "files"
    files_folder.mkdir(parents=True)
    with serve_ranges(files_folder) as files:
        made = make_scenes(files_folder, files.url, **scenes)
        with serve_items(folder, change(made.items)) as url:
            yield StacServer(url, made, files, files_folder)


@contextmanager
def serve_items(folder: Path, items: list[dict[str, Any]]) -> Iterator[str]:
    """A STAC API of these items; its address."""
    collection, features = folder / "collection.json", folder / "items.json"
    collection.write_text(json.dumps(_collection()))
    features.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [Path(sys.executable).parent / "rustac", "serve", "--addr", address, collection, features]
    with (folder / "rustac.log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(process, f"http://{address}/", folder / "rustac.log")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=2)  # noqa: S310 - our own http address
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"rustac did not come up: {log.read_text()}")


def _collection() -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": COLLECTION,
        "description": "generated scenes",
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2015-06-23T00:00:00Z", None]]},
        },
        "links": [],
    }
