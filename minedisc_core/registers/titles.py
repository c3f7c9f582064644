"""Mining titles (SIGMINE, ANM): processes with their phase, and whether that phase by itself may extract.

Facts from ANM's phases: Concessão de Lavra, Lavra Garimpeira, Licenciamento, Registro de Extração and
Manifesto de Mina may extract; requests, research, availability and reconnaissance may not by themselves
(a Guia de Utilização can allow extraction earlier, and an environmental licence is separate).
"""

from __future__ import annotations

import re

from minedisc_core.registers.tables import RawRows, RowProblem
from minedisc_core.registers.text import column_texts, find_column, fold

MAY_EXTRACT = (
    "concessao de lavra", "lavra garimpeira", "permissao de lavra garimpeira", "licenciamento",
    "registro de extracao", "manifesto de mina",
)  # fmt: skip
"""Folded phases that may extract."""
MAY_NOT_EXTRACT = (
    "autorizacao de pesquisa", "direito de requerer a lavra", "disponibilidade", "apto para disponibilidade",
    "reconhecimento geologico", "dado nao cadastrado",
)  # fmt: skip
"""Folded phases that may not extract by themselves; so may no phase that starts with "requerimento"."""
_REQUEST = "requerimento"
_LOST_SIGNS = "?\ufffd"

PROCESS = ("processo", "process", "nr processo", "num processo", "dsprocesso", "ds processo", "numero processo")
PHASE = ("fase", "phase", "fase do processo", "ds fase", "fase atual")
_NUMBER = ("numero",)
_YEAR = ("ano",)
_TEXTS = {
    "holder": ("nome", "titular", "holder", "nome do titular", "requerente"),
    "substance": ("subs", "substancia", "substance", "substancias"),
    "use": ("uso", "use"),
    "state": ("uf", "estado", "state", "sg uf", "uf sigla"),
}
NEEDED = {"phase (FASE)": PHASE}
"""Without the phase a title says nothing about extraction."""
ALIASES = (PROCESS, PHASE, _NUMBER, _YEAR, *_TEXTS.values())


def may_extract(phase: str) -> bool | None:
    """Whether a phase by itself may extract; None for a phase in neither list.

    Case and accents do not count; signs that a wrong encoding turned into `?` fit any letter.
    """
    folded = fold(phase)
    if folded in MAY_EXTRACT:
        return True
    if folded in MAY_NOT_EXTRACT or folded.startswith(_REQUEST):
        return False
    lost = sum(sign in _LOST_SIGNS for sign in phase)
    if not 0 < lost <= 6:
        return None
    pattern = re.compile("".join("." if sign in _LOST_SIGNS else re.escape(_folded_sign(sign)) for sign in phase))
    fitting = {known in MAY_EXTRACT for known in (*MAY_EXTRACT, *MAY_NOT_EXTRACT) if pattern.fullmatch(known)}
    return fitting.pop() if len(fitting) == 1 else None


def _folded_sign(sign: str) -> str:
    return fold(sign) or " "


def title_columns(rows: RawRows) -> tuple[dict[str, list[object]], list[RowProblem]]:
    """Normalised columns of title rows, and a note for each phase that is in neither list."""
    columns = list(rows.texts.columns)
    phases = column_texts(rows.texts, find_column(columns, PHASE))
    known = {phase: may_extract(phase) for phase in set(phases)}
    filled: dict[str, list[object]] = {
        "process": list(_processes(rows, columns)),
        "phase": list(phases),
        "may_extract": [bool(known[phase]) for phase in phases],
    }
    for name, aliases in _TEXTS.items():
        filled[name] = list(column_texts(rows.texts, find_column(columns, aliases)))
    return filled, _notes(phases, known, rows.lines)


def _processes(rows: RawRows, columns: list[str]) -> list[str]:
    """PROCESSO as given (not unique: one process may hold several areas), else NUMERO/ANO."""
    column = find_column(columns, PROCESS)
    if column is not None:
        return column_texts(rows.texts, column)
    numbers = column_texts(rows.texts, find_column(columns, _NUMBER))
    years = column_texts(rows.texts, find_column(columns, _YEAR))
    return [f"{number}/{year}".strip("/") for number, year in zip(numbers, years, strict=True)]


def _notes(phases: list[str], known: dict[str, bool | None], lines: list[int]) -> list[RowProblem]:
    notes = []
    for phase in sorted(phase for phase, verdict in known.items() if verdict is None):
        where = [line for line, given in zip(lines, phases, strict=True) if given == phase]
        said = f"the phase {phase!r} is in neither list of ANM's phases" if phase else "the phase is missing"
        notes.append(RowProblem(where[0], f"{said}: taken as not extracting ({len(where)} rows)", left_out=False))
    return notes
