"""Tokens open one scope, for a while, for the process that made them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pages.signing import LIFETIME_S, Signer


def test_a_token_opens_its_scope_only() -> None:
    signer = Signer()
    token = signer.token("tiles:a")
    assert signer.opens(token, "tiles:a")
    assert not signer.opens(token, "tiles:b")
    assert not signer.opens(token, "chips:a")


def test_another_process_cannot_open_it() -> None:
    assert not Signer().opens(Signer().token("review"), "review")


def test_a_token_lives_half_a_day_to_a_day() -> None:
    now = [1_000_000.0]
    signer = Signer(clock=lambda: now[0])
    token = signer.token("review")
    now[0] += LIFETIME_S
    assert signer.opens(token, "review")
    now[0] += LIFETIME_S
    assert not signer.opens(token, "review")


def test_an_address_stays_the_same_while_pages_are_redrawn() -> None:
    now = [LIFETIME_S * 7 + 1.0]
    signer = Signer(clock=lambda: now[0])
    token = signer.token("review")
    now[0] += LIFETIME_S - 2
    assert signer.token("review") == token


@given(st.text(max_size=60))
def test_no_text_opens_anything(text: str) -> None:
    assert not Signer(b"secret" * 6).opens(text, "review")


def test_a_later_expiry_needs_a_new_signature() -> None:
    signer = Signer()
    expiry, _, signature = signer.token("review").partition(".")
    assert not signer.opens(f"{int(expiry) + 1}.{signature}", "review")
