"""The process of a job, a scan or any other: `python -m minedisc_core.jobs.worker RUN_DIR [--resume] [--addresses]`.

The request lies in the run folder; everything it makes goes there too. A run that was begun goes on, with
`--resume` or without it, for the folder says what is done. `--addresses`: the full addresses of files whose address
holds a secret come on standard input, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from types import TracebackType

from minedisc_core.errors import Cancelled, MinediscError
from minedisc_core.imagery.block_cache import PROCESS_MB, block_cache
from minedisc_core.imagery.network import remember
from minedisc_core.jobs.progress import FAILED
from minedisc_core.runs import REQUEST, TRAINING, read_json, write_json
from minedisc_core.settings import load_settings

ADDRESSES = "--addresses"
_NICE = 5
"""The page must stay quick while a job runs."""
COMPOSITE, RETRAINING = "composite", "retraining"
"""The `kind` in the request of each job that is no scan, with `runs.TRAINING`; a scan's has none."""
_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Exit code 0: finished (complete or not); 1: failed or cancelled; 2: wrong use."""
    folders = [word for word in arguments if word not in ("--resume", ADDRESSES)]
    if len(folders) != 1:
        sys.stderr.write("usage: python -m minedisc_core.jobs.worker RUN_DIR [--resume] [--addresses]\n")
        return 2
    run_dir = Path(folders[0])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.excepthook = _Reporter(run_dir)
    os.nice(_NICE)
    if ADDRESSES in arguments:
        remember(json.load(sys.stdin))
    try:
        with block_cache(PROCESS_MB):
            _work_on(run_dir)
    except Cancelled as error:
        _log.info("%s", error)
        return 1
    except MinediscError as error:
        _log.exception("the job failed")
        _leave(run_dir, error)
        return 1
    return 0


def _work_on(folder: Path) -> None:
    """No kind of job loads what only another needs: TensorFlow, or the clients of catalogues."""
    kind = read_json(folder / REQUEST).get("kind")
    if kind == TRAINING:
        from minedisc_core.jobs.training import work_on_training

        work_on_training(folder)
        return
    if kind == RETRAINING:
        from minedisc_core.jobs.retraining import work_on_retraining

        work_on_retraining(folder)
        return
    if kind == COMPOSITE:
        from minedisc_core.jobs.compositing import work_on_composite

        work_on_composite(folder)
        return
    from minedisc_core.jobs.zones import work_on_all

    work_on_all(folder, load_settings())


class _Reporter:
    """Tells in the run folder that the worker met something nobody foresaw; the log has the details."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        found = f"it met an error nobody foresaw ({kind.__name__}: {str(error)[:300]})"
        _leave(self._run_dir, MinediscError(found, remedy=f"see {self._run_dir / 'worker.log'}, then resume it"))


def _leave(run_dir: Path, error: MinediscError) -> None:
    try:
        write_json(run_dir / FAILED, {"found": error.found, "expected": error.expected, "remedy": error.remedy})
    except MinediscError:
        _log.exception("the reason could not be written")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
