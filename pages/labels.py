"""What the fixed words of the domain are called on the screen, and the colours that go with them."""

from __future__ import annotations

from minedisc_core.domain import Change, Impact, Reason, RegisterKind, RegisterStatus, RunState, Status
from pages.texts import Labels, t

STATUS = Labels(
    {
        Status.UNDECIDED: "Undecided",
        Status.CONFIRMED: "Confirmed",
        Status.REJECTED: "Rejected",
        Status.UNSURE: "Unsure",
    }
)

IMPACT = Labels(
    {
        Impact.HIGH: "High impact",
        Impact.LOW: "Low impact",
        Impact.NO_ORE: "No ore",
        Impact.UNKNOWN: "Class unknown",
    }
)

IMPACT_COLOUR = {
    Impact.HIGH: "#ff3b30",
    Impact.LOW: "#ffb000",
    Impact.UNKNOWN: "#35d0e6",
    Impact.NO_ORE: "#c4c7cc",
}

NOT_SEEN_COLOUR = "rgba(70, 74, 82, 0.69)"
"""As on the map: over a light ground."""

REGISTER_STATUS = Labels(
    {
        RegisterStatus.REGISTERED: "Registered",
        RegisterStatus.TITLE_WITHOUT_EXTRACTION_RIGHT: "Title without extraction right",
        RegisterStatus.NOTHING_FOUND: "Nothing found",
        RegisterStatus.NOT_CHECKED: "Not checked",
    }
)

CHANGE = Labels(
    {
        Change.NEW: "New",
        Change.GROWN: "Grown",
        Change.UNCHANGED: "Unchanged",
        Change.GONE: "Gone",
    }
)

REASON = Labels(
    {
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
)

REASON_KEYS = dict(zip(REASON, "1234567890-=", strict=True))
"""The digit row, in the order of the reasons; it ends with - and =."""

CHIP = Labels(
    {
        "true_colour": "True colour",
        "swir": "SWIR false colour",
        "near_infrared": "Near infrared",
        "ndvi": "NDVI",
        "ndwi": "NDWI",
        "bare_soil": "Bare soil index",
    }
)

REGISTER_KIND = Labels(
    {
        RegisterKind.SIGBM: "SIGBM: tailings dams (ANM)",
        RegisterKind.SIGMINE: "SIGMINE: mining titles (ANM)",
        RegisterKind.LANDS: "Protected lands (FUNAI, CNUC, any polygons)",
        RegisterKind.POINTS: "Known mines: points",
        RegisterKind.POLYGONS: "Known mines: polygons",
        RegisterKind.RIVERS: "Rivers: lines or polygons",
    }
)

RUN_STATE = Labels(
    {
        RunState.RUNNING: "Running",
        RunState.COMPLETE: "Complete",
        RunState.INCOMPLETE: "Incomplete",
        RunState.CANCELLED: "Cancelled",
        RunState.FAILED: "Failed",
    }
)

SOURCES = Labels({"stac": "Open catalogue (no account)", "ee": "Earth Engine (account needed)"})
RECIPES = Labels(
    {
        "cloud-score-plus": "Cloud Score+ (default)",
        "paper": "As in the paper: QA60 cloud mask",
        "paper-as-released": "As the paper's code: no mask",
    }
)
CATALOGUES = Labels(
    {
        "earth-search": "Earth Search (Element 84)",
        "planetary-computer": "Planetary Computer (Microsoft)",
        "own": "Other …",
    }
)
SCENE_CLASSES = Labels(
    {
        0: "0 no data", 1: "1 saturated", 2: "2 dark", 3: "3 cloud shadow", 4: "4 vegetation", 5: "5 bare ground",
        6: "6 water", 7: "7 unclassified", 8: "8 cloud, medium", 9: "9 cloud, high", 10: "10 thin cirrus",
        11: "11 snow",
    }
)  # fmt: skip
"""Scene classification of Level-2A."""


def not_seen() -> str:
    """Of cells that were asked for and hold no data, or failed."""
    return t("Not seen (no data)")
