"""Retrain, registers and exports with something in the store; errors in words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from minedisc_core import service
from minedisc_core.domain import Reason, RegisterStatus, Status
from minedisc_core.errors import StoreOwned
from minedisc_core.exports import Exported
from minedisc_core.review import new_verdict
from minedisc_core.settings import Settings
from minedisc_core.store import Store
from pages import house, shared
from tests.pages.conftest import Opener

DAMS = "Nome;Latitude;Longitude;UF\nBarragem <Um> & Filhos;-19,91;-44,02;MG\nOhne Ort;;;MG\n"


def texts(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in [*app.markdown, *app.caption, *app.error, *app.warning])


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.fixture
def decided(home: Settings) -> Settings:
    """Three confirmed, two rejected."""
    shared.house().take_in_finished()
    order = shared.store().candidate_ids()
    shared.store().record([new_verdict(name, Status.CONFIRMED, "Ana") for name in order[:3]])
    shared.store().record([new_verdict(name, Status.REJECTED, "Ana", reason=Reason.BURN) for name in order[3:5]])
    return home


def test_the_retraining_queue_is_counted_by_label_and_reason(decided: Settings, open_page: Opener) -> None:
    app = open_page("retrain.py")
    assert not app.exception
    assert metrics(app)["Mines (confirmed)"] == "3"
    assert metrics(app)["Background (rejected)"] == "2"
    assert app.dataframe[0].value.to_dict("records")[1] == {"Label": "Background", "Reason": "Burn", "Samples": 2}


def test_samples_that_cannot_be_cut_are_listed_with_the_reason(decided: Settings, open_page: Opener) -> None:
    (decided.demo / "mosaic.tif").unlink()
    app = open_page("retrain.py")
    next(button for button in app.button if button.label.startswith("Cut the pixels")).click().run()
    assert not app.exception
    assert app.expander[0].label.startswith("5 samples could not be cut")


def test_an_export_counts_what_it_will_hold(decided: Settings, open_page: Opener) -> None:
    app = open_page("exports.py")
    assert metrics(app)["Candidates in the file"] == "0"
    assert "No confirmed candidate is unregistered" in texts(app)
    app.toggle(key="export_all").set_value(True).run()
    assert metrics(app)["Candidates in the file"] == "23"
    assert metrics(app)["Not checked"] == "23"
    assert "no proof" in texts(app)


def test_repeats_that_an_export_leaves_out_are_told(
    decided: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shared.store().candidates()[:1]
    monkeypatch.setattr("minedisc_core.exports.exported", lambda *_: Exported(found, 2))
    app = open_page("exports.py")
    assert not app.exception
    assert metrics(app)["Candidates in the file"] == "1"
    assert "2 repeats from older runs left out" in texts(app)


def test_registers_are_listed_with_their_problems_and_can_be_retired(
    decided: Settings, open_page: Opener, tmp_path: Path
) -> None:
    path = tmp_path / "sigbm.csv"
    path.write_text(DAMS, "utf-8")
    service.VERBS["registers_add"](shared.store(), decided, "sigbm", str(path), coverage="MG")
    app = open_page("registers.py")
    assert "SIGBM" in texts(app)
    assert "Missing: a title register" in texts(app)
    assert "1 row of sigbm.csv left out" in [expander.label for expander in app.expander]
    next(button for button in app.button if button.label == "Retire").click().run()
    assert not app.exception
    assert "No register is loaded" in texts(app)


class Upload(io.BytesIO):
    """A file as the browser sends it."""

    name, size = "new_*.csv", len(DAMS)


def test_a_load_says_which_older_register_is_still_in_force(
    decided: Settings, open_page: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old_*.csv"
    path.write_text(DAMS + "Outra;-19,9;-44;MG\n", "utf-8")
    service.VERBS["registers_add"](shared.store(), decided, "sigbm", str(path), as_of="2025-01-02")
    monkeypatch.setattr(DeltaGenerator, "file_uploader", lambda *_, **__: Upload(DAMS.encode()))
    app = open_page("registers.py")
    app.button(key="register_load").click().run()
    assert not app.exception
    assert "sigbm 2025-01-02 (old\\_\\*.csv) is still in force beside it" in app.toast[0].value


def test_a_status_that_changed_is_listed(decided: Settings, open_page: Opener, tmp_path: Path) -> None:
    site = shared.store().candidate(shared.store().candidate_ids()[0]).site
    path = tmp_path / "points.csv"
    path.write_text(f"name,latitude,longitude\nMina,{site.lat},{site.lon}\n")
    service.VERBS["registers_add"](shared.store(), decided, "points", str(path))
    rows = open_page("registers.py").dataframe[0].value.to_dict("records")
    assert {row["After"] for row in rows} == {"Registered"}
    assert any(row["Candidate"] == site.site_id for row in rows)
    assert shared.store().candidate(site.site_id).match.status is RegisterStatus.REGISTERED


def test_a_database_that_another_process_holds_is_explained(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def owned(_path: Path) -> Store:
        raise StoreOwned("the database is open in another process", remedy="end it")

    monkeypatch.setattr(house.Store, "open", owned)
    app = open_page("review.py")
    assert not app.exception
    assert "open in another process" in app.error[0].value
    assert "What to do: end it" in app.error[0].value


def test_an_error_nobody_foresaw_shows_a_number_and_no_traceback(
    home: Settings, open_page: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: object) -> list[str]:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(house.House, "take_in_finished", fail)
    app = open_page("review.py")
    assert not app.exception
    assert "error " in app.error[0].value
    assert "secret detail" not in app.error[0].value
    assert "secret detail" in caplog.text
