"""The retraining queue from a verdict to a dataset version: the names that the other rooms use."""

from minedisc_core.learning.cutting import QueueCounts, cut_pending, cut_sample, queue, queue_counts, sample_path
from minedisc_core.learning.datasets import check_dataset
from minedisc_core.learning.queue_datasets import datasets_folder, make_dataset

__all__ = [
    "QueueCounts",
    "check_dataset",
    "cut_pending",
    "cut_sample",
    "datasets_folder",
    "make_dataset",
    "queue",
    "queue_counts",
    "sample_path",
]
