"""Text as Brazilian registers write it: accents, mixed encodings, words for "nothing", personal numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_MISSING = frozenset(("", "nao informado", "nao informada", "sem informacao", "n a", "na", "nan", "null", "none", "nd"))
_PERSONAL_NAME = re.compile(r"\b(cpf|cnpj|cpfcnpj|cnpjcpf|cpf cnpj|rg)\b|cpf|cnpj")
_PERSONAL_NUMBER = re.compile(
    r"(?:\d{3}|\*{3})\.\d{3}\.\d{3}-(?:\d{2}|\*{2})"  # CPF, also masked
    r"|\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}"  # CNPJ
    r"|(?<![\d.,-])(?:\d{11}|\d{14})(?![\d.,])"  # either without punctuation
)
_MANGLED = re.compile("[ÃÂ][\u0080-\u00bf\u0152-\u0178\u2013-\u2122]")


def fold(text: str) -> str:
    """Lower case, without accents, every run of other signs one blank: for comparing names."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


def is_missing(text: str) -> bool:
    """Whether a cell says that it says nothing (`-`, `Não se aplica ...`, empty)."""
    folded = fold(text)
    return folded in _MISSING or folded.startswith("nao se aplica")


def decode(raw: bytes) -> str:
    """UTF-8 where the bytes are UTF-8, else Windows-1252: decided piece by piece, files mix them.

    A UTF-8 character cut in half at the end (a fixed-width field) is dropped.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        head = raw[: error.start]
        if error.reason == "unexpected end of data" and not head.isascii():
            return head.decode("utf-8")
    return "".join(_cp1252(byte) for byte in raw)


def _cp1252(byte: int) -> str:
    try:
        return bytes((byte,)).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def unmangle(text: str) -> str:
    """Undo UTF-8 that was once read as Windows-1252 (`MineraÃ§Ã£o`); other text stays as it is."""
    if not _MANGLED.search(text):
        return text
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def clean(text: str) -> str:
    """One line of printable text, '' for missing, personal numbers (CPF, CNPJ) taken out."""
    line = " ".join(unmangle(text).split())
    if is_missing(line):
        return ""
    return " ".join(_PERSONAL_NUMBER.sub("", line).split()) if _PERSONAL_NUMBER.search(line) else line


def each_once(values: NDArray[np.object_], function: Callable[[str], str]) -> NDArray[np.object_]:
    """`function` of every text, called once per distinct text."""
    codes, distinct = pd.factorize(values)
    made = np.array([function(str(text)) for text in distinct], dtype=object)
    given: NDArray[np.object_] = made[codes]
    return given


def is_personal(column: str) -> bool:
    """Whether a column's name says that it holds CPF or CNPJ numbers."""
    return bool(_PERSONAL_NAME.search(fold(column)))


def find_column(columns: Sequence[str], aliases: Sequence[str]) -> str | None:
    """The first column whose folded name is one of `aliases`, in the order of the aliases."""
    folded: dict[str, str] = {}
    for column in columns:
        if not is_personal(column):
            folded.setdefault(fold(column), column)
    return next((folded[alias] for alias in aliases if alias in folded), None)


def column_texts(texts: pd.DataFrame, column: str | None) -> list[str]:
    """Cleaned text of a column; '' in every row where the file has no such column."""
    if column is None:
        return [""] * len(texts)
    return list(each_once(texts[column].to_numpy(dtype=object), clean))


def shown(text: str) -> str:
    """A cell for a message: quoted, shortened, without personal numbers."""
    short = " ".join(_PERSONAL_NUMBER.sub("***", text).split())
    return repr(short if len(short) <= 60 else f"{short[:57]}...")
