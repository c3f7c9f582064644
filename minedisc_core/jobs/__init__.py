"""Jobs: from a request to a finished folder, in a process of its own, cancelled and resumed at will.

request = ScanRequest(mosaic=("mosaic.tif",), model="demo-l1c")
process = start_scan(request, settings.runs / new_run_id())
read_progress(process.run_dir).message
"""

from minedisc_core.jobs.composites import CompositeFolder, list_composites, read_composite_progress
from minedisc_core.jobs.compositing import (
    CompositePlan,
    check_composite,
    plan_composite,
    remove_composite,
    start_composite,
    work_folder,
)  # fmt: skip
from minedisc_core.jobs.listing import Estimate, RunFolder, estimate, list_runs
from minedisc_core.jobs.process import ScanProcess, cancel, start_scan
from minedisc_core.jobs.progress import ScanProgress, read_progress
from minedisc_core.jobs.request import ScanRequest, new_run_id, read_request
from minedisc_core.jobs.run import run_scan
from minedisc_core.jobs.sources import open_source
from minedisc_core.jobs.train_progress import TrainProgress, read_train_progress
from minedisc_core.jobs.train_request import TrainRequest
from minedisc_core.jobs.training import run_training, start_training

__all__ = [
    "CompositeFolder",
    "CompositePlan",
    "Estimate",
    "RunFolder",
    "ScanProcess",
    "ScanProgress",
    "ScanRequest",
    "TrainProgress",
    "TrainRequest",
    "cancel",
    "check_composite",
    "estimate",
    "list_composites",
    "list_runs",
    "new_run_id",
    "open_source",
    "plan_composite",
    "read_composite_progress",
    "read_progress",
    "read_request",
    "read_train_progress",
    "remove_composite",
    "run_scan",
    "run_training",
    "start_composite",
    "start_scan",
    "start_training",
    "work_folder",
]
