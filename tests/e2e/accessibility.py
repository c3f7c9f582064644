"""axe-core on a page and in the map's frame: what it finds, less what only Streamlit or folium could mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe()


@dataclass(frozen=True)
class Theirs:
    """A finding that is not ours to mend."""

    rule: str
    selector: str
    """Every element of the finding must match it."""
    why: str


THEIRS: tuple[Theirs, ...] = (
    Theirs(
        "aria-dialog-name",
        "[data-testid=stToast]",
        "Streamlit's toast refers to a title by an id that stands nowhere, and st.toast takes none",
    ),
)


def findings(page: Page) -> list[str]:
    """`rule: element: what axe says` for each element that fails and is ours.

    A page that is still being drawn (styles come last) is looked at again after a second, three times at most.
    """
    found = _findings_now(page)
    for _ in range(2):
        if found:
            page.wait_for_timeout(1_000)
            found = _findings_now(page)
    return found


def _findings_now(page: Page) -> list[str]:
    answer = AXE.run(page, options={"resultTypes": ["violations"]}).response
    failed = [(rule, node) for rule in answer["violations"] for node in rule["nodes"]]
    return [_sentence(rule, node) for rule, node in failed if not _is_theirs(page, rule["id"], node["target"])]


def _sentence(rule: dict[str, Any], node: dict[str, Any]) -> str:
    told = " ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{rule['id']}: {' > '.join(map(str, node['target']))}: {node['html'][:240]}: {told}"


def _is_theirs(page: Page, rule: str, target: list[str]) -> bool:
    """Whether the element is named in THEIRS; one inside a frame is looked up in that frame."""
    known = [theirs.selector for theirs in THEIRS if theirs.rule == rule]
    place: Any = page
    for frame in target[:-1]:
        place = place.frame_locator(frame)
    matches = "(nodes, selector) => nodes.every((node) => node.matches(selector))"
    elements = place.locator(target[-1])  # none is left of a toast that went while axe looked: nobody's finding
    return any(elements.evaluate_all(matches, selector) for selector in known)
