"""The words of Leaflet and of its drawing tools, which speak English by themselves, in the language in force."""

from __future__ import annotations

from typing import Any

from pages.texts import t


def element() -> Any:
    """A part of a leafmap map; to be added before the drawing tools, which read their words when they are made."""
    import folium
    from folium.template import Template

    made = folium.MacroElement()
    made._template = Template(_SCRIPT)
    made.words = {"draw": _drawing(), "edit": _editing()}
    made.titles = {"in": t("Zoom in"), "out": t("Zoom out")}
    return made


_SCRIPT = """
{% macro script(this, kwargs) %}
(function speak(known, words) {
    for (const name in words) {
        if (typeof words[name] === "string") { known[name] = words[name]; } else { speak(known[name], words[name]); }
    }
})(L.drawLocal, {{ this.words|tojson }});
for (const [name, title] of Object.entries({{ this.titles|tojson }})) {
    const button = document.querySelector(".leaflet-control-zoom-" + name);
    if (button) { button.title = title; button.setAttribute("aria-label", title); }
}
{% endmacro %}
"""


def _drawing() -> dict[str, Any]:
    """As in `L.drawLocal.draw`, for polygons and rectangles."""
    corners = {
        "start": t("Click to set the first corner."),
        "cont": t("Click to set the next corner."),
        "end": t("Click the first corner to close the shape."),
    }
    return {
        "toolbar": {
            "actions": {"title": t("Cancel the drawing"), "text": t("Cancel")},
            "finish": {"title": t("Finish the drawing"), "text": t("Finish")},
            "undo": {"title": t("Take the last corner back"), "text": t("Take the last corner back")},
            "buttons": {"polygon": t("Draw a polygon"), "rectangle": t("Draw a rectangle")},
        },
        "handlers": {
            "polygon": {"tooltip": corners},
            "polyline": {"error": t("Edges must not cross.")},
            "rectangle": {"tooltip": {"start": t("Press and drag to draw a rectangle.")}},
            "simpleshape": {"tooltip": {"end": t("Release the button to finish.")}},
        },
    }


def _editing() -> dict[str, Any]:
    """As in `L.drawLocal.edit`."""
    return {
        "toolbar": {
            "actions": {
                "save": {"title": t("Save the changes"), "text": t("Save")},
                "cancel": {"title": t("Discard the changes"), "text": t("Cancel")},
                "clearAll": {"title": t("Take all shapes away"), "text": t("Take all away")},
            },
            "buttons": {
                "edit": t("Edit shapes"),
                "editDisabled": t("No shape to edit"),
                "remove": t("Take shapes away"),
                "removeDisabled": t("No shape to take away"),
            },
        },
        "handlers": {
            "edit": {"tooltip": {"text": t("Drag corners to change the shape."), "subtext": t("Cancel discards it.")}},
            "remove": {"tooltip": {"text": t("Click a shape to take it away.")}},
        },
    }
