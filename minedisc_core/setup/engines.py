"""Proves the engine for the models that come with the project, so that no first scan waits for TensorFlow."""

from __future__ import annotations

import sys

from minedisc_core.detection.models import list_models
from minedisc_core.errors import MinediscError
from minedisc_core.jobs.run import load_nets
from minedisc_core.settings import load_settings


def main() -> int:
    """Load every model once; the exit code. What came out is kept in the settings' `engine_cache`."""
    try:
        settings = load_settings()
        for model in list_models(settings):
            engine = load_nets(model, settings).engine
            reasons = "".join(f"; {reason}" for reason in engine.refused)
            print(f"minedisc: {model.name} is scored by {engine}{reasons}", flush=True)
    except MinediscError as error:
        print(f"minedisc: NOTICE: the engines could not be compared: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
