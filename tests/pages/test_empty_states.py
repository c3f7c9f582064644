"""On a new machine every page says what to do next, and none fails."""

from __future__ import annotations

import pytest

from minedisc_core.settings import Settings
from tests.pages.conftest import Opener


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("scan.py", "No area yet"),
        ("review.py", "nothing to review"),
        ("retrain.py", "The queue is empty"),
        ("train.py", "No dataset version yet"),
        ("registers.py", "No register is loaded"),
        ("exports.py", "nothing to export"),
    ],
)
def test_an_empty_home_tells_what_to_do_next(empty_home: Settings, open_page: Opener, page: str, sentence: str) -> None:
    app = open_page(page)
    assert not app.exception
    assert not app.error
    assert any(sentence in text.value for text in app.markdown)
