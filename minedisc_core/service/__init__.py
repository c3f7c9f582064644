"""The verbs of minedisc on a store, the same for the app, the command line and the loopback door.

`VERBS` maps each verb's name to a function of a store, the settings and plain arguments that gives plain
JSON values. `run_verb` runs one wherever the database is: here, or in the process that owns the file.
"""

from __future__ import annotations

from minedisc_core.service.door import handle_request, run_verb
from minedisc_core.service.verbs import (
    VERBS,
    candidates,
    cut_samples,
    export,
    registers_add,
    registers_list,
    registers_retire,
    rematch,
    runs,
    summary,
    take_in,
    undo,
    verdict,
)

__all__ = [
    "VERBS",
    "candidates",
    "cut_samples",
    "export",
    "handle_request",
    "registers_add",
    "registers_list",
    "registers_retire",
    "rematch",
    "run_verb",
    "runs",
    "summary",
    "take_in",
    "undo",
    "verdict",
]
