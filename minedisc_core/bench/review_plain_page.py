"""What `minedisc bench review` compares with: the same chips and map with st.image, st_folium and st.button.

It is written as Streamlit's and streamlit-folium's own pages teach it. Three things favour it: its verdicts
go to the session only, its map tiles come ready-made from the app that it is compared with, and it runs
with that app's Streamlit settings. MINEDISC_PLAIN_PAGE names a JSON file: `tiles` (address), `vendor`
(address of Leaflet's files; folium's own are on a CDN) and `sites` (id, lat, lon, polygon, chips).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import folium
import streamlit as st
from streamlit_folium import st_folium


@st.cache_data
def read_places() -> dict[str, Any]:
    """The sites and their files, read once."""
    found: dict[str, Any] = json.loads(Path(os.environ["MINEDISC_PLAIN_PAGE"]).read_text("utf-8"))
    return found


def decide(site_id: str, verdict: str) -> None:
    """Keep the verdict and go on to the next site."""
    st.session_state.verdicts[site_id] = verdict
    st.session_state.index += 1


def draw_map(places: dict[str, Any], site: dict[str, Any]) -> None:
    """The mosaic around the site, and the site's outline."""
    made = folium.Map([site["lat"], site["lon"]], zoom_start=14, tiles=None)
    made.default_js = [("leaflet", f"{places['vendor']}/leaflet/leaflet.js")]
    made.default_css = [("leaflet_css", f"{places['vendor']}/leaflet/leaflet.css")]
    folium.TileLayer(places["tiles"], attr="mosaic").add_to(made)
    folium.GeoJson(site["polygon"]).add_to(made)
    st_folium(made, height=560, use_container_width=True)


def main() -> None:
    """The page."""
    st.set_page_config(layout="wide")
    st.session_state.setdefault("index", 0)
    st.session_state.setdefault("verdicts", {})
    places = read_places()
    site = places["sites"][st.session_state.index]
    left, right = st.columns(2)
    with left:
        draw_map(places, site)
    with right:
        st.subheader(f"Candidate {st.session_state.index + 1} of {len(places['sites'])}")
        columns = st.columns(2)
        for number, chip in enumerate(site["chips"]):
            columns[number % 2].image(chip, caption=Path(chip).stem)
        st.button("Confirm", shortcut="a", on_click=decide, args=(site["id"], "confirmed"))
        st.button("Unsure", shortcut="u", on_click=decide, args=(site["id"], "unsure"))


main()
