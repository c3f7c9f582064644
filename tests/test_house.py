"""The house rules that can be measured: sizes, rooms, names, declared imports, what pages may do."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = sorted((ROOT / "minedisc_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
PRODUCT = [*CORE, *PAGES, *[path for path in [ROOT / "app.py"] if path.exists()]]
TESTS = sorted((ROOT / "tests").rglob("*.py"))

ROOMS = {
    "bench", "cli", "detection", "exports", "imagery", "jobs", "learning", "registers", "review", "service", "setup",
    "store", "domain", "engine_record", "errors", "grid", "log", "owner", "runs", "settings", "uploads",
}  # fmt: skip
TOP_LEVEL = {
    "app.py", "pages", "minedisc_core", "models", "data", "tests", "requirements.txt", "requirements-dev.txt",
    "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "pyproject.toml", ".ci", ".gitignore", ".streamlit", "docs",
}  # fmt: skip
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
OTHER_NAMES = {"tensorflow-cpu": {"tensorflow"}, "tensorflow": {"tensorflow"}, "pillow": {"PIL"}}
"""Modules of a requirement that need not be installed under that name here (markers), or are named otherwise."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function, in lines without its docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", length(node)


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) and isinstance(first, ast.Expr):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def imports(path: Path) -> set[str]:
    """Top-level modules that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_the_median_function_has_at_most_12_lines() -> None:
    assert statistics.median(n for path in PRODUCT for _, n in functions(path)) <= 12


def test_nine_functions_of_ten_have_at_most_35_lines() -> None:
    sizes = [n for path in PRODUCT for _, n in functions(path)]
    assert sum(n <= 35 for n in sizes) >= 0.9 * len(sizes)


def test_no_function_has_more_than_60_lines() -> None:
    assert [(name, n) for path in PRODUCT for name, n in functions(path) if n > 60] == []


def test_no_module_has_more_than_400_lines() -> None:
    assert [(str(path.relative_to(ROOT)), lines(path)) for path in PRODUCT if lines(path) > 400] == []


def test_no_page_has_more_than_150_lines() -> None:
    assert [(path.name, lines(path)) for path in PAGES if lines(path) > 150] == []


def test_the_core_has_exactly_the_rooms_of_the_table() -> None:
    found = {path.stem for path in (ROOT / "minedisc_core").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found - {"__init__", "__pycache__"} == ROOMS


def test_every_room_stands_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [room for room in sorted(ROOMS) if not re.search(rf"\b{room}\b", text)] == []


def test_the_top_level_holds_what_the_issue_fixed() -> None:
    tracked = tracked_names()
    assert tracked - TOP_LEVEL == set()


def tracked_names() -> set[str]:
    """Top-level names that git tracks; without git, those that it would."""
    import subprocess

    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return {name.split("/")[0] for name in done.stdout.splitlines()}


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    paths = [path.relative_to(ROOT) for path in [*PRODUCT, *TESTS]]
    assert [str(path) for path in paths if {*path.parts[:-1], path.stem} & FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_has_two_bounds_and_a_reason(name: str) -> None:
    bare = []
    for line in (ROOT / name).read_text("utf-8").splitlines():
        requirement, _, reason = line.partition("  # ")
        if requirement.strip() and not line.startswith(("#", "-r ")):
            bounds = re.match(r"[\w-]+(\[[\w,]+\])?>=[\w.]+,<[\w.]+", requirement)
            if not bounds or len(reason) < 20:
                bare.append(line)
    assert bare == []


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(name: str) -> set[str]:
    text = (ROOT / name).read_text("utf-8")
    return {normal(found) for found in re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?>=", text, re.MULTILINE)}


def modules_of(requirements: set[str]) -> set[str]:
    """Modules that the declared requirements bring."""
    installed = packages_distributions().items()
    own = {module for module, names in installed if {normal(name) for name in names} & requirements}
    return own | {module for name in requirements for module in OTHER_NAMES.get(name, set())}


def third_party(path: Path) -> set[str]:
    return imports(path) - set(sys.stdlib_module_names) - {"minedisc_core", "pages", "app", "tests", "__future__"}


def test_the_product_imports_only_declared_packages() -> None:
    known = modules_of(declared("requirements.txt"))
    # The set-up of the tests' browser asks Playwright where its own is; the review bench measures in that browser.
    known_to_developers = known | {"playwright"}
    undeclared = {}
    for path in PRODUCT:
        allowed = known_to_developers if path.parent.name in ("setup", "bench") else known
        if third_party(path) - allowed:
            undeclared[str(path.relative_to(ROOT))] = third_party(path) - allowed
    assert undeclared == {}


def test_every_declared_package_is_imported_somewhere() -> None:
    used = set().union(*(imports(path) for path in PRODUCT))
    unused = [name for name in sorted(declared("requirements.txt")) if not modules_of({name}) & used]
    assert unused == []


def test_the_tests_import_only_declared_packages() -> None:
    known = modules_of(declared("requirements.txt") | declared("requirements-dev.txt"))
    own = {path.stem for path in TESTS}
    undeclared = {str(path.relative_to(ROOT)): third_party(path) - known - own for path in TESTS}
    assert {name: found for name, found in undeclared.items() if found} == {}


def test_what_runs_before_the_install_uses_the_standard_library_only() -> None:
    for name in ("install.py", "vendor.py"):
        assert imports(ROOT / "minedisc_core" / "setup" / name) <= {*sys.stdlib_module_names, "__future__"}


def test_pages_hold_no_arrays_database_or_network_library() -> None:
    forbidden = {"duckdb", "numpy", "tensorflow", "keras", "rasterio", "ee", "sqlite3"}
    assert {path.name: imports(path) & forbidden for path in PAGES if imports(path) & forbidden} == {}


def test_pages_hold_no_sql() -> None:
    pattern = re.compile(r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b")
    assert [path.name for path in PAGES if pattern.search(path.read_text("utf-8"))] == []


def test_only_the_main_script_catches_errors_and_only_in_one_place() -> None:
    handlers = {path.name: sum(isinstance(n, ast.ExceptHandler) for n in ast.walk(tree(path))) for path in PAGES}
    assert {name: count for name, count in handlers.items() if count and name != "main.py"} == {}


def test_caching_decorators_live_only_in_shared() -> None:
    assert [p.name for p in PAGES if p.name != "shared.py" and "st.cache_" in p.read_text("utf-8")] == []


def test_tensorflow_is_never_imported_with_a_module() -> None:
    eager = []
    for path in PRODUCT:
        for node in tree(path).body:
            names = {a.name for a in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            if any(name.split(".")[0] in ("tensorflow", "keras") for name in names):
                eager.append(str(path.relative_to(ROOT)))
    assert eager == []


def test_every_ignored_warning_has_its_reason_beside_it() -> None:
    silent = re.compile(r"#\s*(noqa(:\s*[A-Z0-9, ]+)?|type:\s*ignore(\[[^\]]*\])?)\s*$")
    found = []
    for path in [*PRODUCT, *TESTS]:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if silent.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []


def test_every_public_name_of_the_core_has_a_docstring() -> None:
    bare = []
    for path in CORE:
        for node in tree(path).body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if named and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(ROOT)} {node.name}")
    assert bare == []


def test_the_readme_has_the_sections_a_newcomer_needs() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    wanted = ["make run", "make test", "## What it is not", "## Set-up", "## The straight line", "## Rooms"]
    wanted += ["## Glossary", "## Limits", "## Settings", "## Licence", "## How to cite", "## Decisions"]
    assert [part for part in wanted if part not in text] == []


def test_every_setting_of_the_environment_stands_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"MINEDISC_[A-Z_]+", (ROOT / "minedisc_core" / "settings.py").read_text("utf-8")))
    assert {name for name in named if name not in text} == set()
