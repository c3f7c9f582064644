"""What the code says to people, read from its syntax trees: keys of the pages, templates of the core."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from minedisc_core.domain import Reason, Status
from minedisc_core.settings import PROJECT_ROOT

PAGES = sorted((PROJECT_ROOT / "pages").glob("*.py"))
SILENT = re.compile(
    r"(bench|cli|setup|imagery/demo)/.*|(imagery/(files|scenes|writing)"
    r"|learning/(splits|spread)"
    r"|jobs/(plan|plan_rate)|owner|setup)\.py"
    r"|service/(door|records)\.py"
)
"""They talk to a terminal or to the command line's door only."""
CORE = [
    path
    for path in sorted((PROJECT_ROOT / "minedisc_core").rglob("*.py"))
    if not SILENT.fullmatch(path.relative_to(PROJECT_ROOT / "minedisc_core").as_posix())
]
TELLERS = re.compile(
    r"(?:Usage|Imagery|Model|Register|Store|Run|Minedisc|Value|Type)Error|EventRefused|StoreOwned|Cancelled"
    r"|RowProblem|LeftOut|_leave|_?Failure|phase|_?step|leave_out|_sound|rematch"
)
"""Calls whose texts a person reads: errors, rows left out, steps of a scan, why statuses changed."""
SENTENCES = {
    "detection/models.py": {"fits", "_check_weights_file"},
    "detection/card_values.py": {"broken_card"},
    "detection/patch_cards.py": {"_broken"},
    "detection/engines.py": {"engines_for", "first_that_agrees", "answers", "NOT_INSTALLED"},
    "detection/probe.py": {"__str__"},
    "jobs/pictures.py": {"_try"},
    "imagery/composites/target.py": {"distortion"},
    "imagery/assembling.py": {"_moved"},
    "imagery/raster_file.py": {"unread"},
    "imagery/earth_engine/source.py": {"_remarks"},
    "imagery/network_faults.py": {"in_words", "_OF_S3"},
    "imagery/stac/search.py": {"_left_out", "_cloudy", "_older", "_without_cloud_share", "_without_files"},
    "jobs/composites.py": {"told", "_finished"},
    "jobs/compositing.py": {"_blocks"},
    "jobs/joining.py": {"_sentences"},
    "jobs/cluster.py": {"give", "wait", "_why", "come_back", "_kept"},
    "jobs/hits.py": {"_classified"},
    "jobs/orders.py": {"_loaded"},
    "jobs/versions.py": {"check_facts"},
    "jobs/progress.py": {"__init__", "add", "_finished_scan", "_stopped", "_INTERRUPTED"},
    "jobs/retraining_request.py": {"missing_to_start", "lacking_to_promote", "_scenes"},
    "jobs/retraining.py": {"step"},
    "jobs/retraining_result.py": {"_finished", "_taken_back"},
    "learning/labels.py": {"why_no_label"},
    "learning/register_samples.py": {"_why_out"},
    "learning/windows.py": {"_cut_point", "why_unfit"},
    "learning/loop_dataset.py": {"plan_samples", "_usable", "_REMEDY"},
    "learning/promotion.py": {"decide", "_missing", "_worse", "_more_sites", "_told"},
    "service/learning.py": {"_stale", "_OVERRIDE", "_verdict_of_rule"},
    "service/outlook.py": {"prospect"},
    "jobs/run.py": {"_problems", "_without_data", "_outside", "_other_engine", "_other_processors", "_announce"},
    "registers/coordinates.py": {"why_outside_brazil"},
    "registers/matching.py": {"_missing", "_NEEDED"},
    "registers/sentences.py": {"GUIA", "STATUS_WORDS", "describe", "_nearest", "_title", "percent", "_river"}
    | {"_no_extraction_title", "_lands", "_land", "_nearest_river"},
    "registers/outlines.py": {"_NAMES"},
    "registers/snapshots.py": {"beside_notice"},
    "registers/titles.py": {"_notes"},
    "store/same_place.py": {"earlier_sentence"},
    "exports/rows.py": {"CAUTION"},
}
"""Functions and constants that make sentences without such a call."""
LETTERS = re.compile(r"[^\W\d_]{2}")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(call: ast.Call) -> str:
    """`t` of `t(...)`, `count` of `words.count(...)`."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def literal(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def keys(path: Path) -> Iterator[str]:
    """Every text that a page gives to `t`, `words.count` or `Labels`."""
    for call in calls(path):
        if name_of(call) == "t" and call.args:
            yield from filter(None, [literal(call.args[0])])
        elif name_of(call) == "count" and len(call.args) >= 2 and literal(call.args[1]):
            one = literal(call.args[1]) or ""
            yield from (one, (literal(call.args[2]) if len(call.args) > 2 else "") or f"{one}s")
        elif name_of(call) == "Labels" and call.args and isinstance(call.args[0], ast.Dict):
            yield from filter(None, map(literal, call.args[0].values))


def templates(path: Path) -> Iterator[str]:
    """Every finished sentence of a module that may reach a screen; `{0}`, `{1}` stand for its values."""
    for node in _spoken_nodes(path):
        for text in _texts(node):
            if "://" not in text and LETTERS.search(re.sub(r"\{\d+\}", "", text)):
                yield text


def _spoken_nodes(path: Path) -> Iterator[ast.AST]:
    told_by = SENTENCES.get(path.relative_to(PROJECT_ROOT).as_posix().removeprefix("minedisc_core/"), set())
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and TELLERS.fullmatch(name_of(node)):
            yield from [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from node.exc.args
        elif isinstance(node, ast.FunctionDef) and node.name in told_by:
            yield from filter(_is_phrase, _whole_texts(node.body[1:] if ast.get_docstring(node) else node.body))
        elif isinstance(node, ast.Assign) and _target(node) in {*told_by, "message", "found"}:
            yield node.value


def _target(node: ast.Assign) -> str:
    """`found` of `found = ...`, `message` of `self.message = ...`."""
    return getattr(node.targets[0], "id", getattr(node.targets[0], "attr", ""))


def _whole_texts(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Texts, but not the pieces that one with values is made of."""
    for node in nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr):
            yield node
        inner = (
            (part.value for part in node.values if isinstance(part, ast.FormattedValue))
            if isinstance(node, ast.JoinedStr)
            else ast.iter_child_nodes(node)
        )
        yield from _whole_texts(inner)


def _is_phrase(node: ast.AST) -> bool:
    """Whether a text in a function that makes sentences is one: it has words with a blank between them."""
    text = literal(node) if isinstance(node, ast.Constant) else None
    if isinstance(node, ast.JoinedStr):
        text = _joined(node)
    return bool(text and " " in text.strip() and LETTERS.search(re.sub(r"\{\d+\}", "", text)))


def _texts(node: ast.AST | None) -> Iterator[str]:
    """The texts that an expression may become."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield _joined(node)
        yield from (text for part in node.values if isinstance(part, ast.FormattedValue) for text in _inner(part.value))
    elif isinstance(node, ast.Name | ast.Attribute):
        yield from constants().get(getattr(node, "id", getattr(node, "attr", "")), [])
    elif isinstance(node, ast.Dict):
        yield from (text for value in node.values for text in _texts(value))
    else:
        yield from _inner(node)


def _inner(node: ast.AST | None) -> Iterator[str]:
    """Texts within a value: the branches of a condition, a constant."""
    if isinstance(node, ast.IfExp):
        yield from [*_texts(node.body), *_texts(node.orelse)]
    elif isinstance(node, ast.BoolOp):
        yield from (text for value in node.values for text in _texts(value))
    elif isinstance(node, ast.Name):
        yield from constants().get(node.id, [])


def _joined(node: ast.JoinedStr) -> str:
    parts, places = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            text = str(part.value)
            for _ in range(text.count("{}")):  # filled in by str.format later
                text, places = text.replace("{}", f"{{{places}}}", 1), places + 1
            parts.append(text)
        else:
            parts.append(f"{{{places}}}")
            places += 1
    return "".join(parts)


@cache
def constants() -> dict[str, list[str]]:
    """Texts in constants of the modules, by name."""
    found: dict[str, list[str]] = {}
    for path in [*CORE, *PAGES]:
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
                text = _joined(value) if isinstance(value, ast.JoinedStr) else literal(value)
                if text and name.isupper() and " " in text:
                    found.setdefault(name, []).append(text)
    return found


def domain_words() -> Iterator[str]:
    """Codes of the domain as the core's sentences write them."""
    yield from (status.capitalize() for status in Status)
    yield from (reason.replace("_", " ") for reason in Reason)
