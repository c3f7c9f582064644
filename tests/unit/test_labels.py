from __future__ import annotations

import pytest

from minedisc_core.detection.cards import ORES
from minedisc_core.learning.labels import discovery_label, impact_label, why_no_label


@pytest.mark.parametrize("label", list(ORES))
def test_every_ore_of_the_paper_means_its_class_in_any_case(label: str) -> None:
    assert {impact_label(word) for ore in ORES[label] for word in (ore, ore.upper(), f" {ore} ")} == {label}
    assert impact_label(label) == label


@pytest.mark.parametrize(
    ("word", "label"),
    [("Minério de Ferro", "high"), ("BAUXITA", "high"), ("Níquel", "high"), ("Calcário", "high"), ("Areia", "low"),
     ("pedra", "low"), ("Argila", "low"), ("Solo", "no_ore"), ("Vegetação", "no_ore"), ("No ore", "no_ore")],
)  # fmt: skip
def test_ores_as_brazilian_registers_write_them_are_known(word: str, label: str) -> None:
    assert impact_label(word) == label


@pytest.mark.parametrize("word", ["", "Granito", "Sais", "ferrous oxide", "mine", "Ferro e Manganês", "sand lime"])
def test_a_word_that_is_not_known_is_never_guessed(word: str) -> None:
    assert impact_label(word) is None


def test_gold_is_told_apart_because_no_net_can() -> None:
    for word in ("Ouro", "gold", "Minério de Ouro Primário"):
        assert impact_label(word) is None
        assert "gold cannot be told" in why_no_label(word)
    assert why_no_label("") == "its label is empty"


@pytest.mark.parametrize(
    ("word", "label"),
    [("dam", "mine"), ("Barragem", "mine"), ("Mina", "mine"), ("1", "mine"), ("iron", "mine"), ("0", "background"),
     ("Background", "background"), ("não é mina", "background"), ("soil", "background"), ("area1", None), ("", None)],
)  # fmt: skip
def test_words_for_the_discovery_net(word: str, label: str | None) -> None:
    assert discovery_label(word) == label
