"""The demo area: generated imagery and registers, scanned and taken in, so that a newcomer sees candidates at once.

Every step is done once: stopped at any point, the same command goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minedisc_core.cli.options import AsJson, Home, run_verb, settings_of
from minedisc_core.cli.output import print_json, say
from minedisc_core.cli.scanning import folder_to_fill, run_to_end
from minedisc_core.errors import MinediscError
from minedisc_core.settings import Settings

if TYPE_CHECKING:
    from minedisc_core.imagery.demo import DemoArea

MODEL = "demo-l1c"
DEFAULT_SIZE_PX = 2048
STATE_FILE = "demo.json"
"""In the home: what the demo area was made from, its run, and whether all is done."""


def demo(
    home: Home = None,
    size: Annotated[int, typer.Option(min=1, help="Side of the area in pixels of 10 m.")] = DEFAULT_SIZE_PX,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another landscape.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Prepare the demo area: imagery, registers, a scan, candidates."""
    settings = settings_of(home)
    state = read_state(settings, size, seed)
    if not is_ready(settings, state):
        prepare(settings, state)
    else:
        say("the demo area is there already")
    if as_json:
        print_json(state)
        return
    print(f"demo area: {settings.demo}, {_run_words(state)}")
    print("next: make run, or minedisc candidates --home " + str(settings.home))


def _run_words(state: dict[str, Any]) -> str:
    if state["run_id"]:
        return f"run {state['run_id']}"
    from minedisc_core.grid import WINDOW_PX

    side = state["size_px"]
    return (
        f"no run: {side} x {side} px hold no cell, there is nothing to scan "
        f"(a cell looks at {WINDOW_PX} x {WINDOW_PX} px: choose --size {WINDOW_PX} or more)"
    )


def demo_is_ready(settings: Settings) -> bool:
    """Whether a demo area of any size and seed was prepared to the end in this home."""
    return is_ready(settings, _stored(settings))


def is_ready(settings: Settings, state: dict[str, Any]) -> bool:
    """Whether everything that `state` tells of is there."""
    return bool(state.get("done")) and (settings.demo / "mosaic.tif").is_file() and settings.database.is_file()


def prepare(settings: Settings, state: dict[str, Any]) -> None:
    """Do what is missing: area, registers, scan, take-in; each step says so on stderr.

    An area too small for a cell is not scanned: its state ends without a run.

    Raises:
        MinediscError: a step failed; the earlier ones are kept.
    """
    from minedisc_core.detection.models import load_model
    from minedisc_core.grid import cells_along
    from minedisc_core.imagery.demo import write_demo

    load_model(MODEL, settings)  # a missing model is told before the work, not after it
    folder_to_fill(settings.home)
    say(f"demo 1 of 4: generating {state['size_px']} x {state['size_px']} px of landscape (seed {state['seed']}) ...")
    area = write_demo(settings.demo, state["size_px"], state["seed"])
    write_state(settings, state)
    say("demo 2 of 4: loading the demo registers ...")
    load_registers(settings, area)
    if cells_along(state["size_px"]):
        say(f"demo 3 of 4: scanning with {MODEL} ...")
        folder = settings.runs / str(state["run_id"])
        scan_once(settings, area.mosaic, folder)
        say("demo 4 of 4: taking the run in ...")
        run_verb(settings, "take_in", run_dir=str(folder))
    else:
        state["run_id"] = None
        say(f"demo 3 and 4 of 4: {_run_words(state)}")
    state["done"] = True
    write_state(settings, state)


def load_registers(settings: Settings, area: DemoArea) -> None:
    """Load the demo's registers, which cover the area and nothing else; those of another demo area are retired."""
    from shapely.geometry import mapping

    from minedisc_core.imagery.geotiff import open_mosaic
    from minedisc_core.service import registers_list

    with open_mosaic([area.mosaic]) as mosaic:
        covered = mapping(mosaic.grid.footprint)
    before = registers_list(None, settings)
    files = (("sigbm", area.sigbm), ("sigmine", area.sigmine), ("lands", area.land), ("rivers", area.rivers))
    for kind, path in files:
        added = run_verb(settings, "registers_add", kind=kind, path=str(path), coverage_polygon=covered)
        new = added["snapshot"]
        for old in before:
            if (old["kind"], old["name"]) == (kind, new["name"]) and old["snapshot_id"] != new["snapshot_id"]:
                run_verb(settings, "registers_retire", snapshot_id=old["snapshot_id"])


def scan_once(settings: Settings, mosaic: Path, folder: Path) -> None:
    """Scan the demo mosaic unless that is done; a scan that was begun is resumed.

    Raises:
        MinediscError: tiles failed.
    """
    from minedisc_core.domain import RunState
    from minedisc_core.jobs import ScanRequest
    from minedisc_core.runs import REQUEST, RESULT, read_summary

    if (folder / RESULT).is_file() and read_summary(folder).state is RunState.COMPLETE:
        return
    request = ScanRequest(mosaic=(str(mosaic),), model=MODEL)
    summary = run_to_end(request, folder, settings, resume=(folder / REQUEST).is_file())
    if summary.state is not RunState.COMPLETE:
        raise MinediscError(
            f"the scan of the demo area ended {summary.state.value}: {'; '.join(summary.problems)}",
            remedy="minedisc demo tries again",
        )


def read_state(settings: Settings, size_px: int, seed: int) -> dict[str, Any]:
    """How far the demo area of this size and seed is; a new one begins with a new run."""
    from minedisc_core.jobs import new_run_id

    stored = _stored(settings)
    is_same = (stored.get("size_px"), stored.get("seed")) == (size_px, seed)
    if is_same and (stored.get("run_id") or stored.get("done")):
        return stored
    return {"size_px": size_px, "seed": seed, "run_id": new_run_id(), "done": False}


def write_state(settings: Settings, state: dict[str, Any]) -> None:
    """Remember how far the demo area is."""
    from minedisc_core.runs import write_json

    write_json(settings.home / STATE_FILE, state)


def _stored(settings: Settings) -> dict[str, Any]:
    import json

    try:
        found = json.loads((settings.home / STATE_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
