"""Preloaded by the workers of the tests: things go wrong there as the files of the folder MINEDISC_TEST_FAULTS say.

slow      seconds that each read of the mosaic takes
eat       first pixel row of the tile whose read takes ever more memory (until somebody ends the process, or 3 GB)
minedisc  another version of minedisc than the worker's own
python    another version of Python
"""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import distributed.versions

from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.jobs import orders

FAULTS = Path(os.environ["MINEDISC_TEST_FAULTS"])
EATEN_BYTES = 3_000_000_000
own_read, own_facts, own_packages = getattr(
    Mosaic, "as_it_was", (Mosaic.read, orders.facts, distributed.versions.get_package_info)
)


def fault(name):
    try:
        return (FAULTS / name).read_text()
    except FileNotFoundError:
        return ""


def read(self, window, bands):
    time.sleep(float(fault("slow") or 0))
    if fault("eat") == str(window.row):
        eaten = []
        while len(eaten) < EATEN_BYTES / 10_000_000:
            eaten.append(b"1" * 10_000_000)
            time.sleep(0.005)
    return own_read(self, window, bands)


def facts():
    known = own_facts()
    return dataclasses.replace(known, minedisc=fault("minedisc") or known.minedisc)


def packages(names):
    known = own_packages(names)
    return {**known, "python": fault("python") or known["python"]}


Mosaic.as_it_was = (own_read, own_facts, own_packages)  # Dask may load this file twice
Mosaic.read, orders.facts, distributed.versions.get_package_info = read, facts, packages
