"""How the app says things: labels of the fixed words, and numbers, dates and places with their units."""

from __future__ import annotations

from datetime import date, datetime

from pages import texts
from pages.labels import (
    CHANGE,
    CHIP,
    IMPACT,
    IMPACT_COLOUR,
    NOT_SEEN_COLOUR,
    REASON,
    REASON_KEYS,
    REGISTER_KIND,
    REGISTER_STATUS,
    RUN_STATE,
    STATUS,
    not_seen,
)
from pages.texts import t

__all__ = [
    "CHANGE",
    "CHIP",
    "IMPACT",
    "IMPACT_COLOUR",
    "NOT_SEEN_COLOUR",
    "REASON",
    "REASON_KEYS",
    "REGISTER_KIND",
    "REGISTER_STATUS",
    "RUN_STATE",
    "STATUS",
    "not_seen",
]


def number(value: float, decimals: int = 0) -> str:
    """`1,234.5`, in Portuguese `1.234,5`."""
    return texts.numerals(f"{value:,.{decimals}f}")


def km2(value: float) -> str:
    """`419 km²`, with more digits for small areas."""
    return f"{number(value, 0 if value >= 100 or value == 0 else 1 if value >= 1 else 2)} km²"


def ha(value: float) -> str:
    """`36 ha`."""
    return f"{number(value, 0 if value >= 10 else 1)} ha"


def distance(metres: float) -> str:
    """`350 m` or `2.4 km`."""
    return f"{number(metres)} m" if metres < 1000 else f"{number(metres / 1000, 1)} km"


def percent(fraction: float) -> str:
    """`98 %`; never rounds something to nothing, or nearly all to all."""
    if 0 < fraction < 0.01:
        return t("under 1 %")
    if 0.99 < fraction < 1:
        return t("over 99 %")
    return f"{fraction * 100:.0f} %"


def duration(seconds: float | None) -> str:
    """`under a minute`, `about 7 min`, `about 1 h 20 min`; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 60:
        return t("under a minute")
    minutes = round(seconds / 60)
    if minutes < 60:
        return t("about {minutes} min", minutes=minutes)
    return t("about {hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def place(lon: float, lat: float) -> str:
    """`19.93412° S, 43.81200° W`: latitude first, as people say it."""
    north_south = t("N") if lat >= 0 else t("S")
    east_west = t("E") if lon >= 0 else t("W")
    return f"{number(abs(lat), 5)}° {north_south}, {number(abs(lon), 5)}° {east_west}"


def day(on: date) -> str:
    """`2024-06-01`, in Portuguese `01/06/2024`."""
    return f"{on:%d/%m/%Y}" if texts.language() == texts.PORTUGUESE else f"{on:%Y-%m-%d}"


def date_format() -> str:
    """The same for Streamlit's date fields."""
    return "DD/MM/YYYY" if texts.language() == texts.PORTUGUESE else "YYYY-MM-DD"


def dates(start: date | None, end: date | None) -> str:
    """`2024-06-01 to 2024-08-31`, one date, or `date not given`."""
    if start and end and start != end:
        return t("{first} to {last}", first=day(start), last=day(end))
    given = start or end
    return day(given) if given else t("date not given")


def minute(at_utc: datetime) -> str:
    """`2024-06-01 14:03`, where a title says that it is UTC."""
    return f"{day(at_utc)} {at_utc:%H:%M}"


def moment(at_utc: datetime | None) -> str:
    """`2024-06-01 14:03 UTC`; empty when unknown."""
    return f"{minute(at_utc)} UTC" if at_utc else ""


def short_moment(at_utc: datetime) -> str:
    """`22 Nov 14:03`, in Portuguese `22/11 14:03`: for lists of what is recent."""
    return f"{at_utc:%d/%m %H:%M}" if texts.language() == texts.PORTUGUESE else f"{at_utc:%d %b %H:%M}"


def count(number_of: int, one: str, many: str = "") -> str:
    """`1 site`, `2 sites`, `1,200 sites`; both forms are texts of the catalogue."""
    return f"{number(number_of)} {t(one) if texts.is_one(number_of) else t(many or one + 's')}"


def scheduler(address: str) -> str:
    """Whose workers will scan."""
    return t("The workers of {scheduler} will scan; the time is that of this machine alone.", scheduler=f"`{address}`")
