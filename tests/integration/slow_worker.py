"""The scan's worker with a slow disk: `python slow_worker.py RUN_DIR SECONDS_PER_READ`."""

import sys
import time

from minedisc_core.imagery.geotiff import Mosaic
from minedisc_core.jobs import worker

fast_read = Mosaic.read


def slow_read(self, window, bands):
    time.sleep(float(sys.argv[2]))
    return fast_read(self, window, bands)


if __name__ == "__main__":
    Mosaic.read = slow_read
    sys.exit(worker.main([sys.argv[1]]))
