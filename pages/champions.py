"""Promote a challenger, with a reason where the rule refuses; roll back; who was champion when and why."""

from __future__ import annotations

from typing import Any

import streamlit as st

from minedisc_core import service
from minedisc_core.detection.models import Model
from minedisc_core.jobs.retraining_result import RetrainingFolder
from minedisc_core.service.learning import SHORTEST_REASON
from minedisc_core.store import ChampionAction
from pages import analysts, boundary, frame, shared, words
from pages.texts import Labels, t

ACTIONS = Labels({
    ChampionAction.PROMOTED: "Promoted",
    ChampionAction.OVERRIDDEN: "Promoted against the rule",
    ChampionAction.ROLLED_BACK: "Rolled back",
})  # fmt: skip


def is_champion(model: Model) -> bool:
    """Whether a model was promoted to champion of its product and bands, and still is."""
    found = shared.store().champion(str(model.discovery.level), model.discovery.bands)
    return found is not None and found.folder == model.folder


def decide(chosen: RetrainingFolder, found: dict[str, Any]) -> None:
    """Promote, promote against the rule, or leave the champion."""
    now = service.VERBS["models_champion"](shared.store(), shared.settings())["champions"]
    if chosen.out in {row["champion"] for row in now}:
        st.success(t("{name} is the champion.", name=boundary.plain(chosen.out)), icon=":material/trophy:")
        return
    promote, override, _ = st.columns([1.4, 2, 3])
    promote.button(
        t("Promote"), type="primary", icon=":material/trophy:", disabled=bool(found["refusals"]), key="retrain_promote",
        use_container_width=True, on_click=_promote, args=(chosen.out, None),
    )  # fmt: skip
    if not found["refusals"]:
        return
    with override.popover(t("Promote all the same"), icon=":material/gavel:", use_container_width=True):
        analysts.name_field(st)
        reason = st.text_area(
            t("Why, although the rule refuses"), key="retrain_reason",
            help=t("It is kept with your name and the figures, and shown in the history."),
        )  # fmt: skip
        is_enough = len(" ".join(reason.split())) >= SHORTEST_REASON and bool(analysts.name())
        st.button(
            t("Promote with this reason"), key="retrain_override", disabled=not is_enough, on_click=_promote,
            args=(chosen.out, reason),
        )  # fmt: skip
    st.caption(t("Otherwise the champion stays: there is nothing to do."))


def _promote(name: str, reason: str | None) -> None:
    with shared.Noted() as noted:
        service.VERBS["models_promote"](
            shared.store(), shared.settings(), name=name, analyst=analysts.name(), override=reason
        )
        frame.say(t("{name} is the champion.", name=name))
    boundary.show_next_run(noted.error)


def history() -> None:
    """Promotions and rollbacks, newest first, and the button that takes the last one back."""
    events = shared.store().champion_events()
    if not events:
        return
    st.markdown(f"##### {t('Champions')}")
    rows = [
        {
            t("When (UTC)"): words.minute(event.at_utc),
            t("What"): ACTIONS[event.action],
            t("Product"): event.level,
            t("Champion"): event.model,
            t("Before"): event.previous,
            t("Who"): event.analyst,
            t("Why"): event.reason,
        }
        for event in events
    ]
    st.dataframe(rows, hide_index=True)
    for level in sorted({event.level for event in events}):
        last = next(event for event in events if event.level == level)
        if last.action is not ChampionAction.ROLLED_BACK:
            st.button(
                t("Roll back to {name}", name=last.previous), icon=":material/undo:", key=f"rollback_{level}",
                on_click=_roll_back, args=(level,),
            )  # fmt: skip


def _roll_back(level: str) -> None:
    with shared.Noted() as noted:
        found = service.VERBS["models_rollback"](
            shared.store(), shared.settings(), level=level, analyst=analysts.name()
        )
        frame.say(t("{name} is the champion.", name=found["champion"]))
    boundary.show_next_run(noted.error)
