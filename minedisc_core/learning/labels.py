"""What a register's words mean as labels. What is not listed here is told, never guessed."""

from __future__ import annotations

from collections.abc import Mapping

from minedisc_core.detection.cards import ORES
from minedisc_core.registers.text import fold

MINE, BACKGROUND = "mine", "background"
IMPACT_LABELS = tuple(ORES)
"""`high`, `low`, `no_ore`."""
_PORTUGUESE = {
    "lead": "chumbo", "iron": "ferro", "niobium": "niobio", "zinc": "zinco", "copper": "cobre", "phosphate": "fosfato",
    "limestone": "calcario", "nickel": "niquel", "schist": "xisto", "manganese": "manganes", "bauxite": "bauxita",
    "sand": "areia", "gravel": "cascalho", "clay": "argila", "stones": "pedras", "soil": "solo", "rocks": "rochas",
    "vegetation": "vegetacao",
}  # fmt: skip
"""The paper's ores as Brazilian registers write them, folded."""
_BEFORE_AN_ORE = ("minerio de ", "minerios de ", "ore of ")
_MINE_WORDS = (
    "mine", "mines", "mina", "minas", "dam", "dams", "barragem", "barragens", "tailings", "tailings dam",
    "tailings dams", "barragem de rejeitos", "rejeitos", "mine dam", "mine or dam", "mining", "mineracao", "garimpo",
    "quarry", "pedreira", "open pit", "1",
)  # fmt: skip
_BACKGROUND_WORDS = (
    "background", "fundo", "no mine", "not a mine", "nao mina", "nao e mina", "sem mina", "negative", "negativo", "0",
)  # fmt: skip


def _ore_words() -> Mapping[str, str]:
    """Each word and the impact class it means."""
    words: dict[str, str] = {}
    for label, ores in ORES.items():
        for ore in ores:
            names = (ore, _PORTUGUESE[ore])
            words |= {fold(form): label for name in names for form in (name, name.removesuffix("s"))}
    return words | {fold(label): label for label in ORES}


ORE_WORDS = _ore_words()


def impact_label(word: str) -> str | None:
    """`high`, `low` or `no_ore` for a class or one of the paper's ores, in English or Portuguese; else None."""
    plain = fold(word)
    for before in _BEFORE_AN_ORE:
        plain = plain.removeprefix(before)
    return ORE_WORDS.get(plain)


def discovery_label(word: str) -> str | None:
    """`mine` or `background`; an ore that is mined is a mine, soil, rocks and vegetation are background; else None."""
    plain = fold(word)
    if plain in _MINE_WORDS:
        return MINE
    if plain in _BACKGROUND_WORDS:
        return BACKGROUND
    impact = impact_label(word)
    return None if impact is None else BACKGROUND if impact == "no_ore" else MINE


def why_no_label(word: str) -> str:
    """What to tell of a word that means no label."""
    if not word:
        return "its label is empty"
    if "ouro" in fold(word).split() or "gold" in fold(word).split():
        return f"its label {word!r} is no class: gold cannot be told from sand or gravel at 10 m"
    return f"its label {word!r} means no class that is known"
