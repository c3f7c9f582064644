"""The words of the review panel, for its scripts; `{n}` and the like are filled in there."""

from __future__ import annotations

from pages.texts import t


def texts() -> dict[str, str]:
    """Name in the scripts -> text in the language in force."""
    return _actions() | _head() | _parts() | _pictures() | _facts() | _told() | _help()


def _actions() -> dict[str, str]:
    return {
        "confirm": t("Confirm"),
        "reject": t("Reject"),
        "unsure": t("Unsure"),
        "undo": t("Undo"),
        "previous": t("Previous"),
        "next": t("Next"),
        "next_undecided": t("Next undecided"),
        "outlines": t("Outlines"),
        "stretch": t("Contrast of the chips"),
        "index": t("Index"),
        "zoom": t("Zoom of the chips"),
        "before_after": t("Before and after"),
        "notes": t("Write a note"),
        "class": t("Change the class"),
        "layers": t("Layers of the map"),
        "lock_zoom": t("Lock the map's zoom"),
        "move": t("Move the point"),
        "footprint": t("Draw or edit the footprint"),
        "grid": t("Grid"),
        "help": t("Keys"),
        "close": t("Close"),
    }


def _head() -> dict[str, str]:
    return {
        "position": t("Candidate {n} of {total}"),
        "seen": t("seen"),
        "held": t("{name} is looking at this one"),
        "decided": t("{n} decided"),
        "left": t("{n} left"),
        "per_hour": t("{n} an hour"),
        "unsaved": t("{n} not saved yet"),
        "corrected": t("{label} (machine: {machine})"),
        "finished": t("Every candidate of this queue is decided. Widen the filter above, or go to Exports."),
        "nothing": t("No candidate passes this filter."),
    }


def _parts() -> dict[str, str]:
    return {
        "why": t("Why is it rejected? One key decides."),
        "same": t("Same as last ({reason})"),
        "class_label": t("Class"),
        "class_machine": t("What the machine says"),
        "class_person": t("Correct the class; a confirmation stores it"),
        "notes_label": t("Note"),
        "notes_hint": t("goes with the next verdict"),
        "save_changes": t("Save changes"),
        "area_drawn": t("Drawn: {drawn} (cells of the machine: {machine})"),
        "remove_footprint": t("Take the footprint away"),
        "point_moved": t("Point moved"),
        "remove_moved": t("Back to the peak of the score"),
    }


def _pictures() -> dict[str, str]:
    return {
        "tools_label": t("Pictures"),
        "chip_true_colour": t("True colour"),
        "chip_swir": t("SWIR false colour"),
        "chip_near_infrared": t("Near infrared"),
        "stretch_run": t("Contrast: run"),
        "stretch_own": t("Contrast: chip"),
        "zoom_label": t("Zoom of the chips: {n} times"),
        "pair_side": t("Side by side"),
        "pair_swipe": t("Swipe"),
        "no_pair": t("No second date of this place is known."),
        "other_date": t("Other date"),
        "swipe_label": t("Divider between the two dates"),
        "swipe_hint": t("Drag the divider, or move it with the arrow keys."),
        "swipe_value": t("{n} % of the first date"),
        "swiped": t("left {left} · right {right}"),
    }


def _facts() -> dict[str, str]:
    return {
        "facts_label": t("Facts"),
        "coordinates": t("Coordinates"),
        "copy": t("Copy"),
        "copied": t("Copied: {value}"),
        "not_copied": t("The browser does not let this page copy."),
        "links": t("Open the place in"),
        "opens": t("Opens {host} in a new tab"),
        "priority": t("Priority {total}"),
        "history": t("History"),
        "undone": t("Taken back"),
        "earlier": t("Earlier here"),
    }


def _told() -> dict[str, str]:
    return {
        "decided_now": t("{title}: {what}. {key} takes it back."),
        "sites": t("{n} sites"),
        "undone_one": t("Taken back."),
        "undone_many": t("{n} verdicts taken back."),
        "changes_saved": t("The changes are sent as a new verdict."),
        "decided_meanwhile": t("{title} was decided meanwhile: {status}"),
        "next_free": t("{name} is looking at {title}: this is the next free one."),
        "waiting": t("Waiting for the server…"),
        "storage_full": t("This browser cannot keep verdicts: do not close the page before all are saved."),
        "server_says": t("Not saved: {problem}"),
        "refused": t("{n} refused by the server: not stored"),
        "put_away": t("I have read this: put it away"),
    }


def _help() -> dict[str, str]:
    return {
        "help_title": t("Keys"),
        "help_how": t("Click an action, then press its new key."),
        "help_press": t("Press the new key for “{action}”. Escape leaves it as it is."),
        "help_done": t("“{action}” is now on {key}."),
        "help_reasons": t("Reasons of a rejection"),
        "help_digits": t("A digit rejects at once, without Reject before it"),
        "help_restore": t("Restore the defaults"),
        "key_modifier": t("One key alone, please, without Shift, Ctrl or Alt."),
        "key_fixed": t("{key} has a meaning of its own."),
        "key_streamlit": t("{key} belongs to Streamlit."),
        "key_reason": t("{key} is the key of a reason."),
        "key_taken": t("{key} is already the key of “{other}”."),
    }
