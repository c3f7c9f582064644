"""Options of `minedisc mosaic`, which source each belongs to, and what their texts mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from minedisc_core.errors import UsageError

RecipeWord = Literal["paper", "paper-as-released", "cloud-score-plus", "scl"]
AREA = Annotated[Path | None, typer.Option(help="Only this area: GeoJSON, KML, zipped shapefile.")]
RECIPE = Annotated[
    RecipeWord | None, typer.Option(help="Default: cloud-score-plus (Earth Engine), scl (STAC).", show_default=False)
]
RESUME = Annotated[bool, typer.Option("--resume", help="Go on where an earlier download stopped.")]
CLOUD = Annotated[float, typer.Option(help="Scenes with a higher stated cloud share are left out, percent.")]
CLEAR = Annotated[float, typer.Option(help="cloud-score-plus: least cs_cdf of a valid pixel, 0 to 1.")]
MASKED = Annotated[
    str | None, typer.Option(help="STAC: classes that are no valid look (default 0,1,3,8,9,10,11).", show_default=False)
]
ZONE = Annotated[
    str | None, typer.Option(help="UTM zone, EPSG:32723 or 23S; `each`: one mosaic per zone. Default: the middle's.")
]
PROJECT = Annotated[str, typer.Option(help="Earth Engine: cloud project (default: MINEDISC_EE_PROJECT).")]
SERVICE_ACCOUNT = Annotated[
    Path | None, typer.Option(help="Earth Engine: key file (default: MINEDISC_EE_SERVICE_ACCOUNT); never kept.")
]
CATALOGUE = Annotated[str, typer.Option(help="STAC: earth-search, planetary-computer, or an API's address.")]
COLLECTION = Annotated[str, typer.Option(help="STAC: collection; default: the preset's.")]
ASSETS = Annotated[Path | None, typer.Option(help='STAC: JSON, {"B2": "blue", ..., "scl": "scl"}.')]
SURVEY = Annotated[bool, typer.Option("--survey", help="Only tell which scenes there are.")]
EXPORT = Annotated[Literal["drive", "gcs"] | None, typer.Option(help="Earth Engine: let it write files there instead.")]
FOLDER = Annotated[str, typer.Option(help="With --export: folder in Drive, or bucket/prefix of Cloud Storage.")]
TASKS = Annotated[str | None, typer.Option(help="Earth Engine: tell how these export tasks are (ID,ID).")]

_OF_EARTH_ENGINE = frozenset(("clear", "project", "service_account", "export", "folder", "tasks"))
_OF_STAC = frozenset(("mask_classes", "catalogue", "collection", "assets"))
_OF_FILES = frozenset(("sources", "dn_offset", "file_bands", "imagery_start", "imagery_end"))
_OF_COMPOSITES = frozenset(("recipe", "start", "end", "resume", "cloud", "zone", "survey"))
_FOREIGN = {
    "ee": _OF_STAC | _OF_FILES,
    "stac": _OF_EARTH_ENGINE | _OF_FILES,
    "files": _OF_EARTH_ENGINE | _OF_STAC | _OF_COMPOSITES,
}


def check_fits(ctx: typer.Context, source: str) -> None:
    """Refuse options that mean nothing for the source.

    Raises:
        UsageError: one was given.
    """
    given = [name for name, value in ctx.params.items() if value and _is_given(ctx, name)]
    foreign = [name for name in given if name in _FOREIGN[source]]
    if foreign:
        name = "IN..." if foreign[0] == "sources" else "--" + foreign[0].replace("_", "-")
        owner = next(other for other in _FOREIGN if foreign[0] not in _FOREIGN[other])
        raise UsageError(
            f"{name} means nothing with --source {source}",
            "options of one source",
            f"leave it out, or use --source {owner}",
        )


def _is_given(ctx: typer.Context, name: str) -> bool:
    origin = ctx.get_parameter_source(name)
    return origin is not None and origin.name == "COMMANDLINE"


def default_recipe(source: str) -> RecipeWord:
    """What is asked for unless a recipe is named."""
    return "cloud-score-plus" if source == "ee" else "scl"


def default_level(source: str) -> str:
    """L1C, as the paper, where there is a choice."""
    return "L1C" if source == "ee" else "L2A"


def zone_of(text: str | None) -> str:
    """`EPSG:32723` of `EPSG:32723`, `23S` or `each` (empty: left to each part).

    Raises:
        UsageError: it is none of them.
    """
    if text is None or text == "each":
        return ""
    short = text.strip().upper()
    if short[:-1].isdecimal() and short[-1:] in "NS" and 1 <= int(short[:-1]) <= 60:
        return f"EPSG:{(32_600 if short[-1] == 'N' else 32_700) + int(short[:-1])}"
    if short.startswith("EPSG:"):
        return short
    raise UsageError(f"zone {text}", "EPSG:32723, 23S or each")


def classes_of(text: str | None) -> dict[str, tuple[int, ...]]:
    """The masked classes as an argument; none where they are not given.

    Raises:
        UsageError: one is no whole number.
    """
    if text is None:
        return {}
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--mask-classes is {text!r}", "whole numbers with commas between, such as 0,1,3,8,9,10,11")
    return {"masked_classes": tuple(int(word) for word in words)}


def assets_of(path: Path | None) -> dict[str, str] | None:
    """The asset map of a JSON file.

    Raises:
        UsageError: the file cannot be read, or holds none.
    """
    from minedisc_core.imagery.stac.catalogues import read_assets

    if path is None:
        return None
    try:
        return read_assets(path.read_text("utf-8"))
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "a JSON object") from error
