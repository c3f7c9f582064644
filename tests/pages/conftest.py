"""Pages under AppTest, each with a home of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from minedisc_core.settings import PROJECT_ROOT, Settings
from pages import shared
from tests.pages.fabricated import make_mosaic, make_run

MAIN = PROJECT_ROOT / "pages" / "main.py"
Opener = Callable[[str], AppTest]


@pytest.fixture
def empty_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The app's home is empty."""
    monkeypatch.setenv("MINEDISC_HOME", str(settings.home))
    yield settings
    shared.close_houses()


@pytest.fixture
def home(empty_home: Settings) -> Settings:
    """The app's home holds a demo mosaic and a finished run that nobody took in."""
    mosaic = make_mosaic(empty_home.demo / "mosaic.tif")
    make_run(empty_home.runs, mosaic)
    return empty_home


@pytest.fixture
def open_page() -> Opener:
    """Run a page as the navigation does: `open_page("review.py")`."""

    def run(name: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=90).run()
        return app if name == "scan.py" else app.switch_page(name).run()

    return run


@pytest.fixture
def run_folder(home: Settings) -> Path:
    """Folder of the run in the home."""
    return next(home.runs.iterdir())


@pytest.fixture
def taken_in(home: Settings) -> Settings:
    """The app's home with its run taken in."""
    shared.house().take_in_finished()
    return home
