"""The server: the pages, and beside them, on the same port, map tiles, chips and the command line's door.

`make run` starts it; `streamlit run app.py` does the same.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st

from minedisc_core import owner
from minedisc_core.errors import MinediscError
from minedisc_core.log import open_log
from pages import addresses, boundary, listening, routes, shared

LOG = logging.getLogger("minedisc.app")
MAIN = Path(__file__).parent / "pages" / "main.py"


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Own the database while the app is up, and say so to command lines."""
    house = shared.house()
    open_log(house.settings)
    port, base = int(st.get_option("server.port")), addresses.prefix()
    LOG.debug("listening sockets that send at once: %d", listening.send_at_once(port))
    house.on_open = lambda: owner.announce(house.settings, port, base)
    try:
        LOG.info("database open: %s", house.store is not None)
    except MinediscError as error:
        LOG.error("the database is not open yet, pages try again: %s", error)
    threading.Thread(target=_preload, name="preload", daemon=True).start()
    try:
        yield
    finally:
        owner.withdraw(house.settings)
        shared.close_houses()


def _preload() -> None:
    """Import the map library now: the first page would wait 5 to 14 seconds for it."""
    importlib.import_module("leafmap.foliumap")


app = st.App(
    MAIN,
    lifespan=lifespan,
    routes=routes.routes(addresses.prefix()),
    on_script_error=boundary.explain,
    exception_handlers={MinediscError: routes.explain},
)
