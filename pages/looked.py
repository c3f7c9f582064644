"""What a source of imagery was asked, and what it said."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.jobs import CompositePlan, open_source, plan_composite
from pages.noted import Noted


@dataclass
class Looked:
    """A request that a source was asked about, and what came of it.

    A map that reports itself starts the page anew while the source is being asked: the next run of the page waits
    for the same answer, and what was said stays until something else is asked.
    """

    request: CompositeRequest
    plan: CompositePlan | None = None
    """None until the source has answered, or where it refused."""
    error: Exception | None = None
    """Why there is no plan."""
    _asking: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def ask(self) -> None:
        """Ask the source, once."""
        with self._asking:
            if self.plan or self.error:
                return
            with Noted(Exception) as noted:
                self.plan = plan_composite(self.request, open_source(self.request))
            self.error = noted.error
