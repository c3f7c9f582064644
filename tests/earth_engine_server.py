"""A made-up Earth Engine on loopback for the real client: pixels of a mosaic of ours, faults on demand.

It evaluates no expression: whatever is asked, it answers the pixels of its mosaic on the asked grid. What the
expressions say is compared with `read_graph`; what Earth Engine makes of them only an account can show (tests/online).
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from minedisc_core.grid import RasterGrid

MOST_BYTES, MOST_SIDE = 48 * 1024 * 1024, 32_768
SECRET = "ya29.a-token-that-nobody-may-see"
SCENES = (
    ("20190605T140059_20190605T140057_T23KPS", "2019-06-05", 3.5, "02.07"),
    ("20190615T140059_20190615T140057_T23KPS", "2019-06-15", 12.0, "02.07"),
    ("20190625T140059_20190625T140057_T23KPS", "2019-06-25", 0.0, "05.00"),
)
"""Scene, day, cloud share and baseline: what the survey finds unless told otherwise."""


@dataclass
class Fault:
    """An answer instead of the right one: an HTTP status with Earth Engine's words, or a delay."""

    status: int = 0
    message: str = ""
    stall_s: float = 0.0


@dataclass
class EarthEngineServer:
    """What the server holds, what it was asked, and the faults that it will show, each once and in order."""

    values: NDArray[np.uint16]
    """(height, width, band), 0 = no data."""
    bands: tuple[str, ...]
    grid: RasterGrid
    looks: int = 7
    scenes: tuple[tuple[str, str, float, str], ...] = SCENES
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    """For pixels and values; exports too."""
    sign_in_faults: list[Fault] = field(default_factory=list)
    most_pixels_answered: int = 10**9
    """Larger windows are over the memory limit."""
    delay_s: float = 0.0
    """Before each answer of pixels."""
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Path and body of each request, in order."""
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def bodies(self, part: str) -> list[Any]:
        """What was sent to paths that hold `part`."""
        return [body for path, body in self.asked if part in path]

    def enter(self) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1

    def next_fault(self, faults: list[Fault]) -> Fault | None:
        with self._lock:
            return faults.pop(0) if faults else None


@contextmanager
def serve_earth_engine(
    values: NDArray[np.uint16], bands: tuple[str, ...], grid: RasterGrid, **changes: Any
) -> Iterator[EarthEngineServer]:
    """Serve a mosaic; the address for `MINEDISC_EE_URL` is `.url`."""
    state = EarthEngineServer(values, bands, grid, **changes)
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serve_mosaic_file(path: Path, **changes: Any) -> Iterator[EarthEngineServer]:
    """Serve the pixels of a mosaic file, such as the demo scene's."""
    import rasterio

    with rasterio.open(path) as raster:
        values = np.moveaxis(raster.read(), 0, -1).astype(np.uint16)
        grid = RasterGrid(raster.height, raster.width, raster.transform, raster.crs.to_string())
        bands = tuple(raster.descriptions)
    with serve_earth_engine(values, bands, grid, **changes) as state:
        yield state


class _Handler(BaseHTTPRequestHandler):
    state: EarthEngineServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.state.asked.append((self.path, None))
        if self.path.startswith("/$discovery"):
            fault = self.state.next_fault(self.state.sign_in_faults)
            time.sleep(fault.stall_s if fault else 0)
            return self._refuse(fault) if fault else self._send(json.dumps(self._discovery()))
        if "/algorithms" in self.path:
            return self._send((files("ee") / "tests" / "algorithms.json").read_bytes())
        name = re.search(r"projects/[^/]+/operations/[^/?]+", self.path)
        if name and name[0] in self.state.operations:
            return self._send(json.dumps(self.state.operations[name[0]]))
        return self._refuse(Fault(404, "not found"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.asked.append((self.path, body))
        self.state.enter()
        try:
            fault = self.state.next_fault(self.state.faults)
            if fault:
                time.sleep(fault.stall_s)
                if fault.status:
                    return self._refuse(fault)
            if "image:computePixels" in self.path:
                time.sleep(self.state.delay_s)
                return self._pixels(body)
            if "value:compute" in self.path:
                return self._send(json.dumps({"result": self._survey()}))
            if "image:export" in self.path:
                return self._export(body)
            return self._refuse(Fault(404, "not found"))
        finally:
            self.state.leave()

    def _discovery(self) -> dict[str, Any]:
        told = json.loads((files("ee") / "tests" / "cloud_api_discovery_document.json").read_text("utf-8"))
        told.pop("mtlsRootUrl", None)
        return {**told, "rootUrl": self.state.url + "/", "baseUrl": self.state.url + "/", "servicePath": ""}

    def _pixels(self, body: dict[str, Any]) -> None:
        size, names = body["grid"]["dimensions"], body["bandIds"]
        height, width = size["height"], size["width"]
        total = height * width * len(names) * 2
        if total > MOST_BYTES or max(height, width) > MOST_SIDE:
            words = f"Total request size ({total} bytes) must be less than or equal to {MOST_BYTES} bytes."
            return self._refuse(Fault(400, words))
        if height * width > self.state.most_pixels_answered:
            return self._refuse(Fault(400, "User memory limit exceeded."))
        answer = io.BytesIO()
        np.save(answer, self._structured(body["grid"], names))
        return self._send(answer.getvalue(), "application/octet-stream")

    def _structured(self, grid: dict[str, Any], names: list[str]) -> NDArray[Any]:
        """The mosaic's pixels nearest to the asked centres, a field a band."""
        a, height, width = grid["affineTransform"], grid["dimensions"]["height"], grid["dimensions"]["width"]
        asked = Affine(a["scaleX"], a["shearX"], a["translateX"], a["shearY"], a["scaleY"], a["translateY"])
        rows, cols = np.mgrid[0:height, 0:width] + 0.5
        x, y = asked.a * cols + asked.b * rows + asked.c, asked.d * cols + asked.e * rows + asked.f
        if grid["crsCode"] != self.state.grid.crs:
            x, y = Transformer.from_crs(grid["crsCode"], self.state.grid.crs, always_xy=True).transform(x, y)
        back = ~self.state.grid.transform
        col = np.floor(back.a * x + back.b * y + back.c).astype(int)
        row = np.floor(back.d * x + back.e * y + back.f).astype(int)
        inside = (row >= 0) & (col >= 0) & (row < self.state.grid.height_px) & (col < self.state.grid.width_px)
        found = np.zeros((height, width, len(self.state.bands)), np.uint16)
        found[inside] = self.state.values[row[inside], col[inside]]
        answer = np.zeros((height, width), [(name, "<u2") for name in names])
        for name in names:
            is_looks = name == "looks"
            seen = np.where((found > 0).all(axis=-1), self.state.looks, 0)
            answer[name] = seen if is_looks else found[..., self.state.bands.index(name)]
        return answer

    def _survey(self) -> dict[str, Any]:
        scenes = self.state.scenes
        return {
            "ids": [scene[0] for scene in scenes],
            "moments": [int(np.datetime64(scene[1], "ms").astype(int)) for scene in scenes],
            "clouds": [scene[2] for scene in scenes],
            "baselines": [scene[3] for scene in scenes if scene[3]],  # aggregate_array leaves out what is missing
            "scored": [scene[0] for scene in scenes[:-1]],
        }

    def _export(self, body: dict[str, Any]) -> None:
        project = re.search(r"projects/[^/]+", self.path)
        name = f"{project[0] if project else 'projects/x'}/operations/{body['requestId']}"
        told = {"state": "PENDING", "description": body["description"], "createTime": "2026-01-01T00:00:00Z"}
        self.state.operations.setdefault(name, {"name": name, "metadata": {**told, "type": "EXPORT_IMAGE"}})
        return self._send(json.dumps(self.state.operations[name]))

    def _refuse(self, fault: Fault) -> None:
        error = {"code": fault.status, "message": fault.message or f"status {fault.status}", "status": "X"}
        self._send(json.dumps({"error": error}), status=fault.status)

    def _send(self, content: str | bytes, kind: str = "application/json", status: int = 200) -> None:
        sent = content.encode() if isinstance(content, str) else content
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a client that has given up


def read_graph(sent: dict[str, Any]) -> Any:
    """An expression as nested plain values: `{"Image.select": {"input": ..., "bandSelectors": [...]}}`.

    Functions that are mapped are `{"function": [names], "body": ...}`; their arguments are `<name>`.
    """
    return _resolved(sent["values"][sent["result"]], sent["values"])


def _resolved(node: dict[str, Any], values: dict[str, Any]) -> Any:
    ((kind, content),) = node.items()
    if kind == "constantValue":
        return content
    if kind == "integerValue":
        return int(content)
    if kind == "valueReference":
        return _resolved(values[content], values)
    if kind == "argumentReference":
        return f"<{content}>"
    if kind == "arrayValue":
        return [_resolved(one, values) for one in content["values"]]
    if kind == "dictionaryValue":
        return {name: _resolved(one, values) for name, one in content["values"].items()}
    if kind == "functionDefinitionValue":
        return {"function": content["argumentNames"], "body": _resolved(values[content["body"]], values)}
    assert kind == "functionInvocationValue", kind
    arguments = {name: _resolved(one, values) for name, one in content["arguments"].items()}
    return {content["functionName"]: arguments}
