"""What a worker of a cluster does with a run: it is given the order once, and then one tile after the other.

Model and proof come with the order, the nets are loaded once for each process, pixels are read where the mosaic lies,
and results go where the order says. Nothing here knows which library brings orders and tiles (`jobs.cluster` does).
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import socket
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minedisc_core import __version__
from minedisc_core.detection.engines import LoadedNets, load_nets_for
from minedisc_core.detection.models import Model, load_model, model_identity
from minedisc_core.detection.openvino_runtime import Threads
from minedisc_core.detection.probe import Proof, keep_proof, stored_proof
from minedisc_core.detection.tile_work import TILE_ERRORS, Failure, TileWork
from minedisc_core.engine_record import EngineRecord
from minedisc_core.errors import MinediscError, ModelError, RunError
from minedisc_core.grid import PixelWindow, RasterGrid, Tile
from minedisc_core.imagery.block_cache import WORKER_MB, keep_block_cache
from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.imagery.raster_file import open_raster
from minedisc_core.jobs.tiles import TileFiles
from minedisc_core.settings import Settings, load_settings

_CODE = ("detection", "imagery", "grid.py", "jobs/orders.py", "jobs/places.py", "jobs/tiles.py")
"""What of this package decides a tile's result."""
_ENVIRONMENT = {
    "GDAL_HTTP_CONNECTTIMEOUT": "30",
    "GDAL_HTTP_LOW_SPEED_TIME": "30",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",
    "GDAL_HTTP_MAX_RETRY": "3",
}
"""For GDAL, where the worker's environment does not say otherwise: a server that stalls ends an attempt after 30 s."""


@dataclass(frozen=True)
class Facts:
    """What a process is, as far as it decides whether it may work on a run."""

    host: str
    python: str
    """Major and minor version."""
    minedisc: str
    code: str
    """Hash of the code that decides a tile's result."""


def facts() -> Facts:
    """Of this process."""
    return Facts(socket.gethostname(), ".".join(platform.python_version_tuple()[:2]), __version__, _code())


@lru_cache(maxsize=1)
def _code() -> str:
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for name in _CODE:
        found = sorted((package / name).rglob("*.py")) if (package / name).is_dir() else [package / name]
        for path in found:
            digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Order:
    """All that a worker needs to score any tile of a run."""

    name: str
    code: str
    """Of the process that gives the order (`Facts.code`)."""
    model: tuple[tuple[str, bytes], ...]
    """Names and contents of the model folder's files."""
    identity: str
    """Of the model (`model_identity`)."""
    engine: EngineRecord
    """Which engine must score."""
    proof: Proof | None
    mosaic: Mosaic
    grid: RasterGrid
    bands: tuple[str, ...]
    files: TileFiles
    probe: bytes
    """Content of the file PROBE that lies where the results belong."""


_OPENED = 20
"""Files of a mosaic that a worker opens to see whether it can read them."""
PROBE = ".probe"
"""By this file a worker sees that it reads and writes where the driver does."""


def files_of(model: Model) -> tuple[tuple[str, bytes], ...]:
    """Names and contents of a model folder's files, for an order."""
    return tuple((path.name, path.read_bytes()) for path in sorted(model.folder.iterdir()) if path.is_file())


@dataclass(frozen=True)
class Readiness:
    """What a worker says of an order before the first tile."""

    host: str
    problem: str
    """Why it cannot work on it; empty if it can."""
    processor: str


_NETS: dict[tuple[str, str, int], LoadedNets] = {}
"""The nets of this process: of one model, for they take memory."""
_HELD: dict[str, _Held] = {}
_LOCK = threading.Lock()


class _Held:
    """An order in the hands of this process."""

    def __init__(self, order: Order, threads: int) -> None:
        self.order, self.threads = order, threads
        self._lock = threading.Lock()

    @property
    def nets(self) -> LoadedNets:
        """The nets, loaded at first use, once for each process.

        Raises:
            ModelError: the model did not arrive whole, or this process scores with another engine.
        """
        key = (self.order.identity, self.order.engine.name, self.threads)
        with _LOCK:
            if key not in _NETS:
                _NETS.clear()
                _NETS[key] = _loaded(self.order, self.threads)
            return _NETS[key]

    @cached_property
    def work(self) -> TileWork:
        """How tiles are worked on here."""
        return TileWork(self.order.grid, self.nets.discovery)

    def read(self, window: PixelWindow) -> NDArray[np.uint16]:
        """Pixels of the mosaic."""
        return self.order.mosaic.read(window, self.order.bands)


def _loaded(order: Order, threads: int) -> LoadedNets:
    if order.code != _code():  # a worker that came after the others were asked
        raise RunError("this worker has another minedisc than the run", "the same version", "install it there")
    folder = Path(tempfile.mkdtemp(prefix="minedisc-model-"))
    try:
        for name, content in order.model:
            (folder / Path(name).name).write_bytes(content)
        settings = load_settings()
        model = load_model(folder, settings)
        if model_identity(model) != order.identity:
            raise ModelError("the model did not arrive as it was sent", "the same bytes", "start the scan again")
        cache = _with_proof(order.proof, settings, folder)
        nets = load_nets_for(model, order.engine.name, Threads(threads, 1), cache)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if (nets.engine.name, nets.engine.version) != (order.engine.name, order.engine.version):
        left_out = f" ({'; '.join(nets.engine.refused)})" if nets.engine.refused else ""
        raise ModelError(
            f"this worker scores with {nets.engine}{left_out} and the run with {order.engine}",
            "one engine of one version for all tiles",
            "install the same version on all workers, or choose --engine openvino or tensorflow",
        )
    return nets


def _with_proof(proof: Proof | None, settings: Settings, scratch: Path) -> Path:
    """A folder of proofs that holds this one: on a like processor nothing needs to be proved again."""
    if proof is None:
        return settings.engine_cache
    keep_proof(settings.engine_cache, proof)
    if stored_proof(settings.engine_cache, proof.key):
        return settings.engine_cache
    keep_proof(scratch, proof)
    return scratch


def receive(order: Order, threads: int) -> None:
    """Take an order into this process.

    Args:
        order: what is to be done.
        threads: tiles that this process works on at once, each in one thread.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    keep_block_cache(WORKER_MB)
    _HELD[order.name] = _Held(order, threads)


def forget(name: str) -> None:
    """The order is done."""
    held = _HELD.pop(name, None)
    if held:
        held.order.mosaic.close()


def ready(name: str) -> Readiness:
    """Whether this process can read the mosaic, load the nets and write results for an order."""
    host = socket.gethostname()
    try:
        held = _held(name)
        _check_place(held.order)
        for path in held.order.mosaic.paths[:_OPENED]:
            open_raster(path).close()
        return Readiness(host, "", held.nets.engine.processor)
    except TILE_ERRORS as error:
        told = str(error) if isinstance(error, MinediscError) else f"{type(error).__name__}: {error}"
        return Readiness(host, told, "")


def _check_place(order: Order) -> None:
    place = order.files.place
    if place.read(PROBE) != order.probe:
        raise RunError(
            f"{place} is not the folder that the scan's own process sees under this name",
            "a folder of a shared file system, at the same path everywhere",
            "put the run on one, or give the URL of an object store with --results",
        )
    own = f"{PROBE}-{socket.gethostname()}-{os.getpid()}"
    place.write(own, order.probe)
    place.remove(own)


def _held(name: str) -> _Held:
    if name not in _HELD:
        raise RunError("this worker was not given the run", remedy="resume the run")
    return _HELD[name]


class TileFailed(Exception):
    """A tile could not be done; the text is the reason, with the worker's host."""


def work(name: str, tile: Tile) -> None:
    """Read and score a tile and keep its result; a result that is there already is left as it is.

    Raises:
        TileFailed: it could not be done; nothing is kept.
    """
    try:
        held = _held(name)
        failure = None if held.order.files.load(tile) is not None else _score(held, tile)
    except TILE_ERRORS as error:
        failure = str(error) if isinstance(error, MinediscError) else f"{type(error).__name__}: {error}"
    if failure:
        raise TileFailed(f"{failure} (worker on {socket.gethostname()})")


def _score(held: _Held, tile: Tile) -> str | None:
    steps = held.work
    pixels = steps.read(tile, held.read)
    if isinstance(pixels, Failure):
        return pixels
    result = steps.score(tile, pixels)
    if isinstance(result, Failure):
        return result
    held.order.files.save(tile, result)
    return None


def other_processors(order: Order, told: Sequence[Readiness]) -> list[str]:
    """Processors of workers that the run's engine was not recorded with."""
    return sorted({each.processor for each in told if each.processor} - {order.engine.processor})
