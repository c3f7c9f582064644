"""The words of the map's tools and of the grid, for the panel's scripts; `{n}` and the like are filled in there."""

from __future__ import annotations

from pages.texts import t


def texts() -> dict[str, str]:
    """Name in the scripts -> text in the language in force."""
    return _map() | _hints() | _grid()


def _map() -> dict[str, str]:
    return {
        "map_label": t("Map of the candidates"),
        "map_tools": t("Tools of the map"),
        "map_picture": t("Picture"),
        "map_true_colour": t("True colour"),
        "map_swir": t("SWIR"),
        "map_opacity": t("Opacity"),
        "map_lock": t("Lock the zoom: only you change it, also after a reload"),
        "map_layers": t("Layers: sites, registers, lands"),
        "map_move": t("Move the point"),
        "map_footprint": t("Draw or edit the footprint"),
        "map_box": t("Draw a box: only the candidates inside it"),
        "map_box_clear": t("Take the box away"),
    }


def _hints() -> dict[str, str]:
    return {
        "map_hint_move": t("Click where the mine is, or drag the marker."),
        "map_hint_draw": t("Click the corners of the mine. The first corner again, or Enter, closes the shape."),
        "map_hint_edit": t("Drag corners or the middles of edges; a click removes a corner."),
        "map_hint_box": t("Drag a box: the queue keeps the candidates inside it."),
        "map_back": t("Back to the peak of the score"),
        "map_finish": t("Finish"),
        "map_cancel": t("Cancel"),
        "map_delete_shape": t("Delete the shape"),
        "map_crossing": t("Edges must not cross."),
    }


def _grid() -> dict[str, str]:
    return {
        "grid_title": t("Grid of candidates"),
        "grid_range": t("Candidates {from} to {to} of {total}"),
        "grid_chosen": t("{n} selected"),
        "grid_picture": t("Picture"),
        "grid_size": t("Chips"),
        "grid_all": t("Select all shown"),
        "grid_none": t("Select none"),
        "grid_previous": t("Previous page"),
        "grid_next": t("Next page"),
        "grid_close": t("Back"),
        "grid_why": t("Space selects; {key} and one of these keys reject all that are selected:"),
        "grid_armed": t("Why are these {n} rejected? One key decides."),
        "grid_rejected": t("{n} rejected: {reason}. {key} takes all of them back."),
        "grid_unsure": t("{n} marked unsure. {key} takes all of them back."),
        "grid_held": t("Left out, because somebody else looks at it: {names}"),
        "grid_no_confirm": t("Nothing is confirmed here: look at each one by itself."),
        "grid_nothing": t("Nothing is selected."),
        "grid_undone": t("Taken back."),
    }
