"""The main script: navigation over the pages, and the one place where a page's errors end."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # Streamlit puts the folder of this script there, not the project's
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402 - the path comes first
from streamlit.errors import FragmentHandledException  # noqa: E402 - the path comes first

from pages import boundary, frame, texts  # noqa: E402 - the path comes first
from pages.texts import t  # noqa: E402 - the path comes first

PAGES = ROOT / "pages"


def main() -> None:
    """Draw the frame and run the chosen page."""
    texts.begin()
    st.set_page_config(page_title="minedisc", page_icon=str(PAGES / "icon.svg"), layout="wide")
    chosen = st.navigation(
        [
            st.Page(PAGES / "scan.py", title=t("Scan"), icon=":material/travel_explore:", default=True),
            st.Page(PAGES / "review.py", title=t("Review"), icon=":material/fact_check:"),
            st.Page(PAGES / "retrain.py", title=t("Retrain"), icon=":material/model_training:"),
            st.Page(PAGES / "train.py", title=t("Train"), icon=":material/school:"),
            st.Page(PAGES / "models.py", title=t("Models"), icon=":material/deployed_code:"),
            st.Page(PAGES / "registers.py", title=t("Registers"), icon=":material/list_alt:"),
            st.Page(PAGES / "points.py", title=t("Points"), icon=":material/edit_location_alt:"),
            st.Page(PAGES / "exports.py", title=t("Exports"), icon=":material/download:"),
        ],
        position="top",
    )
    frame.draw(chosen.url_path)
    try:
        chosen.run()
    except FragmentHandledException:
        raise  # a fragment failed; it has been explained where it stands
    except Exception as error:  # noqa: BLE001 - the boundary: whatever a page raises is explained in words
        boundary.explain(error)


main()
