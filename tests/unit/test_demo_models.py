from __future__ import annotations

import pytest

from minedisc_core.detection.models import fits, list_models, load_model, load_tensors
from minedisc_core.domain import ProductLevel
from minedisc_core.imagery.bands import L1C_BANDS, L2A_BANDS
from minedisc_core.settings import PROJECT_ROOT, Settings

PAIRS = [("demo-l1c", ProductLevel.L1C, L1C_BANDS), ("demo-l2a", ProductLevel.L2A, L2A_BANDS)]


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(tmp_path)


def test_two_pairs_are_shipped(settings: Settings) -> None:
    assert [model.name for model in list_models(settings)] == ["demo-l1c", "demo-l2a"]


@pytest.mark.parametrize(("name", "level", "bands"), PAIRS)
def test_a_shipped_pair_says_plainly_that_it_is_a_demonstration(settings: Settings, name, level, bands) -> None:
    model = load_model(name, settings)
    assert model.impact is not None
    for card in (model.discovery, model.impact):
        assert card.is_demonstration
        assert "DEMONSTRATION" in card.description
        assert "no real mine" in card.description
        assert card.bands == bands
        assert card.level is level
        assert load_tensors(model, card.net)


@pytest.mark.parametrize(("name", "level", "bands"), PAIRS)
def test_a_shipped_pair_fits_its_own_product_only(settings: Settings, name, level, bands) -> None:
    model = load_model(name, settings)
    assert fits(model, bands, level) is None
    other = ProductLevel.L2A if level is ProductLevel.L1C else ProductLevel.L1C
    assert fits(model, L2A_BANDS if other is ProductLevel.L2A else L1C_BANDS, other)


@pytest.mark.parametrize("name", ["demo-l1c", "demo-l2a"])
def test_no_seed_of_the_demo_or_the_benchmark_was_trained_or_tuned_on(settings: Settings, name) -> None:
    from minedisc_core.bench.demo import SEEDS
    from minedisc_core.learning.demo_models import TRAINING_SEEDS, TUNING_SEEDS

    seen = {int(text.split()[-1]) for text in load_model(name, settings).discovery.training["scenes"]}
    assert seen == set(TRAINING_SEEDS)
    assert not {0, *SEEDS} & (seen | set(TUNING_SEEDS))


def test_the_shipped_models_stay_small() -> None:
    assert sum(path.stat().st_size for path in (PROJECT_ROOT / "models").rglob("*") if path.is_file()) < 12e6
