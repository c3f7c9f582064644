"""Text of registers: encodings, missing words, personal numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minedisc_core.registers.text import clean, decode, find_column, fold, is_missing, is_personal, shown, unmangle


@pytest.mark.parametrize(
    "text", ["", "  ", "-", "--", "Não se aplica", "NAO SE APLICA", "N/A", "nan", "null", "Não informado"]
)
def test_words_for_nothing_are_missing(text: str) -> None:
    assert is_missing(text)
    assert clean(text) == ""


@pytest.mark.parametrize("text", ["0", "Nana", "Dique -", "Não", "=1+1", "B&B <mina>"])
def test_other_words_stay(text: str) -> None:
    assert clean(text) == text


def test_folding_ignores_case_accents_and_signs() -> None:
    assert fold("  MUNICÍPIO/Sede ") == fold("municipio sede") == "municipio sede"


@given(st.text(alphabet=st.characters(codec="cp1252", exclude_categories=["Cc"])))
def test_utf8_bytes_decode_as_written(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize("text", ["São José", "IRMÃ", "Mineração – Itabirito", "AÇÃO", "nº 5"])
def test_windows_bytes_decode_as_written(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@given(st.binary(max_size=60))
def test_any_bytes_decode_to_something(raw: bytes) -> None:
    assert isinstance(decode(raw), str)


def test_a_letter_cut_in_half_by_a_fixed_width_is_dropped() -> None:
    assert decode("Extração São Jo".encode() + "ã".encode()[:1]) == "Extração São Jo"


def test_text_decoded_wrongly_once_is_put_right() -> None:
    assert unmangle("Mineração Rio".encode().decode("cp1252")) == "Mineração Rio"
    assert unmangle("IRMÃ São") == "IRMÃ São"


@pytest.mark.parametrize(
    "text",
    [
        "João 123.456.789-09",
        "João - ***.456.789-**",
        "Mina 12.345.678/0001-95",
        "João 12345678909",
        "Mina 12345678000195",
    ],
)
def test_personal_numbers_are_taken_out_of_names(text: str) -> None:
    assert not any(sign.isdigit() for sign in clean(text))
    assert "456" not in shown(text)
    assert "345678" not in shown(text)


@pytest.mark.parametrize("text", ["830.123/2004", "831234/1999", "Dique 12", "27.203.830345/2010-11"])
def test_process_numbers_are_not_taken_for_personal_ones(text: str) -> None:
    assert clean(text) == text


def test_personal_columns_are_never_chosen() -> None:
    assert is_personal("CPF/CNPJ")
    assert is_personal("CPF_CNPJ do Empreendedor")
    assert is_personal("NrCNPJ")
    assert not is_personal("Empreendedor")
    assert find_column(["CNPJ", "Nome"], ["cnpj", "nome"]) == "Nome"


def test_a_column_is_found_by_its_aliases_in_their_order() -> None:
    assert find_column(["NOME", "Name"], ["name", "nome"]) == "Name"
    assert find_column(["Município "], ["municipio"]) == "Município "
    assert find_column(["other"], ["nome"]) is None
