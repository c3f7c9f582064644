"""How the app says things: labels of the fixed words, and numbers with their units."""

from __future__ import annotations

from datetime import date, datetime

from minedisc_core.domain import Impact, Reason, RegisterKind, RegisterStatus, RunState, Status

STATUS = {
    Status.UNDECIDED: "Undecided",
    Status.CONFIRMED: "Confirmed",
    Status.REJECTED: "Rejected",
    Status.UNSURE: "Unsure",
}

IMPACT = {
    Impact.HIGH: "High impact",
    Impact.LOW: "Low impact",
    Impact.NO_ORE: "No ore",
    Impact.UNKNOWN: "Class unknown",
}

IMPACT_COLOUR = {
    Impact.HIGH: "#ff3b30",
    Impact.LOW: "#ffb000",
    Impact.UNKNOWN: "#35d0e6",
    Impact.NO_ORE: "#c4c7cc",
}

NOT_SEEN = "Not seen (no data)"
NOT_SEEN_COLOUR = "rgba(70, 74, 82, 0.69)"
"""As on the map: over a light ground."""

REGISTER_STATUS = {
    RegisterStatus.REGISTERED: "Registered",
    RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT: "Title without extraction right",
    RegisterStatus.NOTHING_FOUND: "Nothing found",
    RegisterStatus.NOT_CHECKED: "Not checked",
}

REASON = {
    Reason.IRRIGATION_DAM: "Irrigation dam",
    Reason.RIVER_BANK: "River bank or sandbar",
    Reason.NATURAL_LAKE: "Natural lake",
    Reason.BARE_FIELD: "Bare field",
    Reason.URBAN: "Urban or construction",
    Reason.ROAD_AIRSTRIP: "Road or airstrip",
    Reason.ROCK_OUTCROP: "Rock outcrop",
    Reason.BURN: "Burn",
    Reason.CLOUD_SHADOW: "Cloud or shadow",
    Reason.LANDSLIDE: "Landslide",
    Reason.SOLAR_GREENHOUSE: "Solar or greenhouse",
    Reason.OTHER: "Other",
}

REASON_KEYS = dict(zip(REASON, "1234567890-=", strict=True))
"""The digit row, in the order of the reasons; it ends with - and =."""

CHIP = {
    "true_colour": "True colour",
    "swir": "SWIR false colour",
    "near_infrared": "Near infrared",
    "ndvi": "NDVI",
}

REGISTER_KIND = {
    RegisterKind.SIGBM: "SIGBM: tailings dams (ANM)",
    RegisterKind.SIGMINE: "SIGMINE: mining titles (ANM)",
    RegisterKind.LANDS: "Protected lands (FUNAI, CNUC, any polygons)",
    RegisterKind.POINTS: "Known mines: points",
    RegisterKind.POLYGONS: "Known mines: polygons",
}

RUN_STATE = {
    RunState.RUNNING: "Running",
    RunState.COMPLETE: "Complete",
    RunState.INCOMPLETE: "Incomplete",
    RunState.CANCELLED: "Cancelled",
    RunState.FAILED: "Failed",
}


def km2(value: float) -> str:
    """`419 km²`, with more digits for small areas."""
    return (
        f"{value:,.0f} km²"
        if value >= 100 or value == 0
        else f"{value:,.1f} km²"
        if value >= 1
        else f"{value:,.2f} km²"
    )


def ha(value: float) -> str:
    """`36 ha`."""
    return f"{value:,.0f} ha" if value >= 10 else f"{value:,.1f} ha"


def distance(metres: float) -> str:
    """`350 m` or `2.4 km`."""
    return f"{metres:,.0f} m" if metres < 1000 else f"{metres / 1000:,.1f} km"


def percent(fraction: float) -> str:
    """`98 %`; never rounds something to nothing, or nearly all to all."""
    if 0 < fraction < 0.01:
        return "under 1 %"
    if 0.99 < fraction < 1:
        return "over 99 %"
    return f"{fraction * 100:.0f} %"


def duration(seconds: float | None) -> str:
    """`under a minute`, `about 7 min`, `about 1 h 20 min`; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "under a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"


def place(lon: float, lat: float) -> str:
    """`19.93412° S, 43.81200° W`: latitude first, as people say it."""
    return f"{abs(lat):.5f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.5f}° {'E' if lon >= 0 else 'W'}"


def dates(start: date | None, end: date | None) -> str:
    """`2024-06-01 to 2024-08-31`, one date, or `date not given`."""
    if start and end and start != end:
        return f"{start} to {end}"
    return str(start or end or "date not given")


def moment(at_utc: datetime | None) -> str:
    """`2024-06-01 14:03 UTC`; empty when unknown."""
    return f"{at_utc:%Y-%m-%d %H:%M} UTC" if at_utc else ""


def count(number: int, one: str, many: str = "") -> str:
    """`1 site`, `2 sites`, `1,200 sites`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
