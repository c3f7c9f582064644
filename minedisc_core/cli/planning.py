"""`minedisc plan`: what a scan of an area would take, before anybody buys machines."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minedisc_core.cli.options import AsJson, Home, settings_of
from minedisc_core.cli.output import print_json, print_table, say
from minedisc_core.errors import UsageError

if TYPE_CHECKING:
    from minedisc_core.jobs.plan import Ground, Plan
    from minedisc_core.jobs.plan_rate import Rate
    from minedisc_core.settings import Settings

CORES = [2, 64, 1_000]


def plan(
    aoi: Annotated[Path | None, typer.Option(help="Area: GeoJSON, KML, KMZ, GeoPackage, zipped shapefile.")] = None,
    km2: Annotated[float | None, typer.Option(help="Only an area's size: counted as a square.")] = None,
    cores: Annotated[list[int] | None, typer.Option(help="Cores in all (2, 64, 1000); may be repeated.")] = None,
    rate: Annotated[float | None, typer.Option(help="Megapixels a core scores a second, not this machine's.")] = None,
    read_mb_s: Annotated[float, typer.Option(help="What one machine reads, MB/s.")] = 250,
    shared_read_mb_s: Annotated[float, typer.Option(help="What the storage gives all machines, MB/s.")] = 5_000,
    cores_per_machine: Annotated[int, typer.Option(min=1, help="Cores that share one machine's line.")] = 16,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the rate again.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a scan of an area takes: pixels, bytes, core hours, and time on 2, 64 and 1,000 cores."""
    from minedisc_core.jobs.plan import Storage
    from minedisc_core.jobs.plan import plan as reckon

    settings = settings_of(home)
    ground = _ground(aoi, km2, settings)
    storage = Storage(read_mb_s, shared_read_mb_s, cores_per_machine)
    found = reckon(ground, _rate(rate, settings, again=measure), storage, cores or CORES)
    if as_json:
        print_json(record(found))
    else:
        tell(found)


def _ground(aoi: Path | None, km2: float | None, settings: Settings) -> Ground:
    """The tiles of what was asked.

    Raises:
        UsageError: neither or both ways of asking; or the file holds no area.
    """
    from minedisc_core.jobs.plan import ground_of, ground_of_km2
    from minedisc_core.registers.areas import read_aoi

    if aoi is not None and km2 is None:
        return ground_of(read_aoi(aoi, settings))
    if km2 is not None and aoi is None:
        return ground_of_km2(km2)
    found = "both --aoi and --km2 are given" if aoi else "no area is given"
    raise UsageError(found, "one of --aoi FILE and --km2 NUMBER", "name one")


def _rate(stated: float | None, settings: Settings, *, again: bool) -> Rate:
    from minedisc_core.jobs.plan_rate import given, rate_of

    if stated is not None and not stated > 0:
        raise UsageError(f"a rate of {stated:g} Mpx/s", "more than 0", "correct it")
    measured = rate_of(settings, say, again=again)
    return given(measured, stated) if stated is not None else measured


def record(found: Plan) -> dict[str, Any]:
    """A plan as plain values."""
    ground = found.ground
    return {
        "km2": round(ground.km2, 3),
        "zones": list(ground.zones),
        "mosaics": ground.mosaics,
        "tiles": len(ground.tile_km2),
        "scanned_km2": round(float(ground.tile_km2.sum()), 3),
        "gigabytes": round(found.gigabytes, 3),
        "core_hours": round(found.core_hours, 3),
        "rate": dataclasses.asdict(found.rate),
        "storage": dataclasses.asdict(found.storage),
        "at": [
            {
                "cores": answer.cores,
                "wall_s": round(answer.schedule.wall_s, 1),
                "efficiency": round(answer.efficiency, 4),
                "waiting_fraction": round(answer.waiting_fraction, 4),
                "driver_s": round(answer.schedule.driver_s, 1),
            }
            for answer in found.answers
        ],
        "reading_limits_from_cores": round(found.reading_limits_from_cores, 1),
        "line_limits_from_cores": round(found.line_limits_from_cores, 1),
        "how": how(found),
    }


def tell(found: Plan) -> None:
    """A plan in words."""
    ground = found.ground
    zones = f" in {len(ground.zones)} UTM zones" if len(ground.zones) > 1 else ""
    print(f"{ground.km2:,.0f} km2: {ground.mosaics:,} mosaics of 100 km{zones}, {len(ground.tile_km2):,} tiles")
    print(f"to read: {found.gigabytes:,.1f} GB; to compute: {found.core_hours:,.1f} core hours")
    rows = [
        [answer.cores, duration(answer.schedule.wall_s), f"{answer.efficiency:.0%}", f"{answer.waiting_fraction:.0%}"]
        for answer in found.answers
    ]
    print_table(("cores", "time", "of it scoring", "waiting for bytes"), rows)
    for sentence in how(found):
        print(sentence)


def how(found: Plan) -> list[str]:
    """How the answer is made, and where reading becomes the limit."""
    rate, storage = found.rate, found.storage
    when = f"measured {rate.measured_at_utc} UTC with {rate.engine}" if rate.measured_at_utc else "as given"
    shape = "" if found.ground.zones else " Of the area only its size was given: a square is counted."
    return [
        f"A core scores {rate.core_mpx_s:,.2f} Mpx/s ({100 * rate.core_mpx_s:,.0f} km2/s), {when}; "
        f"a km2 takes {rate.bytes_per_km2 / 1e3:,.0f} kB as minedisc writes mosaics.",
        f"Reading is the limit from {found.reading_limits_from_cores:,.0f} cores on ({storage.shared_mb_s:,.0f} MB/s"
        f" for all), on one machine from {found.line_limits_from_cores:,.0f} on ({storage.machine_mb_s:,.0f} MB/s).",
        "Times are simulated: every tile is handed out, read and scored, the next one is read meanwhile, readers share"
        f" the storage, one driver finishes each mosaic. Machines of {storage.cores_per_machine} cores.{shape}",
        "Not in it: making the mosaics, map tiles and chips, and the people who review.",
    ]


def duration(seconds: float) -> str:
    """`41 s`, `3.2 min`, `5.1 h`, `2.3 days`."""
    for unit, length, most in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < most:
            return f"{seconds / length:,.0f} {unit}" if unit == "s" else f"{seconds / length:,.1f} {unit}"
    return f"{seconds / 86_400:,.1f} days"
