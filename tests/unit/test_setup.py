"""The set-up: what decides whether anything must be installed, and how packages of scripts are unpacked."""

from __future__ import annotations

import io
import json
import socket
import stat
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from minedisc_core.errors import MinediscError, UsageError
from minedisc_core.setup import browser, install, start, vendor

FILES = {
    "leaflet": {"dist/leaflet.js": b"L", "dist/leaflet.css": b"c", "dist/images/layers.png": b"p"},
    "leaflet-draw": {"dist/leaflet.draw.js": b"D", "dist/leaflet.draw.css": b"d", "dist/images/s.svg": b"s"},
    "leaflet.fullscreen": {"Control.FullScreen.js": b"F", "Control.FullScreen.css": b"f", "icon-fullscreen.svg": b"i"},
    "leaflet-side-by-side": {
        "index.js": b"var L = require('leaflet')",
        "layout.css": b"layout",
        "range.css": b"range",
        "range-icon.png": b"icon",
    },
}


def tarball(path: Path, name: str, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    about = json.dumps({"name": name, "version": "9.9.9"}).encode()
    with tarfile.open(path, "w:gz") as archive:
        for inside, content in {"package.json": about, **files}.items():
            member = tarfile.TarInfo(f"package/{inside}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for inside, target in (links or {}).items():
            link = tarfile.TarInfo(f"package/{inside}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return path


@pytest.fixture
def fake_npm(tmp_path: Path) -> Path:
    """An npm that "packs" tarballs which lie ready."""
    ready = tmp_path / "ready"
    ready.mkdir()
    for name, files in FILES.items():
        tarball(ready / f"{name}-9.9.9.tgz", name, files)
    program = tmp_path / "npm"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, shutil, sys\n"
        f"into = sys.argv[sys.argv.index('--pack-destination') + 1]\n"
        f"[shutil.copy(p, into) for p in pathlib.Path({str(ready)!r}).iterdir()]\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def all_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_scripts_get_the_names_under_which_the_app_serves_them(fake_npm: Path, tmp_path: Path) -> None:
    vendor.fetch(str(fake_npm), tmp_path / "vendor")
    assert vendor.is_vendored(tmp_path / "vendor")
    assert all_files(tmp_path / "vendor") == {
        "leaflet/leaflet.js",
        "leaflet/leaflet.css",
        "leaflet/images/layers.png",
        "draw/leaflet.draw.js",
        "draw/leaflet.draw.css",
        "draw/images/s.svg",
        "fullscreen/Control.FullScreen.js",
        "fullscreen/Control.FullScreen.css",
        "fullscreen/icon-fullscreen.svg",
        "side-by-side/leaflet-side-by-side.js",
        "side-by-side/leaflet-side-by-side.css",
        "side-by-side/range-icon.png",
        "versions.json",
    }
    assert not any(path.name.startswith(".vendor") for path in tmp_path.iterdir())


def test_the_side_by_side_module_is_wrapped_for_the_browsers_global(fake_npm: Path, tmp_path: Path) -> None:
    vendor.fetch(str(fake_npm), tmp_path / "vendor")
    script = (tmp_path / "vendor" / "side-by-side" / "leaflet-side-by-side.js").read_text()
    assert "window.L" in script.splitlines()[0]
    assert script.rstrip().endswith("})();")
    assert (tmp_path / "vendor" / "side-by-side" / "leaflet-side-by-side.css").read_text() == "layout\nrange"


@pytest.mark.parametrize(
    "name", ["dist/images/../../../../evil", "dist/images/..", "/etc/evil", "dist/images/a/../../b"]
)
def test_an_entry_that_points_elsewhere_is_not_unpacked(tmp_path: Path, name: str) -> None:
    packed = tarball(tmp_path / "x.tgz", "leaflet", FILES["leaflet"] | {name: b"evil"})
    vendor.unpack(packed, tmp_path / "out", vendor.PACKAGES)
    assert all(b"evil" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != packed)


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    files = {name: content for name, content in FILES["leaflet"].items() if name != "dist/leaflet.js"}
    packed = tarball(tmp_path / "x.tgz", "leaflet", files, {"dist/leaflet.js": "/etc/passwd"})
    with pytest.raises(vendor.VendorError, match=r"leaflet\.js"):
        vendor.unpack(packed, tmp_path / "out", vendor.PACKAGES)


def test_a_file_that_is_far_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "LARGEST_FILE", 100)
    packed = tarball(tmp_path / "x.tgz", "leaflet", FILES["leaflet"] | {"dist/leaflet.js": b"x" * 101})
    with pytest.raises(vendor.VendorError, match="100 bytes"):
        vendor.unpack(packed, tmp_path / "out", vendor.PACKAGES)


def test_a_package_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(vendor.VendorError, match="not asked for"):
        vendor.unpack(tarball(tmp_path / "x.tgz", "left-pad", {}), tmp_path / "out", vendor.PACKAGES)


def test_a_failed_fetch_leaves_the_old_scripts_alone(tmp_path: Path) -> None:
    old = tmp_path / "vendor" / "leaflet"
    old.mkdir(parents=True)
    (old / "leaflet.js").write_text("old")
    with pytest.raises(vendor.VendorError):
        vendor.fetch("/bin/false", tmp_path / "vendor")
    assert (old / "leaflet.js").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["vendor"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an environment that looks installed."""
    for name in install.DEVELOPMENT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "minedisc"):
        (tmp_path / ".venv" / "bin" / name).write_text("")
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /x\nversion = 3.12.1\n")
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    install.stamp_file(False).write_text(install.digest(False))
    install.stamp_file(True).write_text(install.digest(True))
    return tmp_path


@pytest.mark.parametrize("dev", [False, True])
def test_an_environment_that_fits_its_files_is_current(project: Path, dev: bool) -> None:
    assert install.is_current(dev, None)
    assert install.is_current(dev, (3, 12))


@pytest.mark.parametrize("name", install.RUNTIME)
def test_a_changed_file_makes_the_environment_stale(project: Path, name: str) -> None:
    (project / name).write_text("changed")
    assert not install.is_current(False, None)
    assert not install.is_current(True, None)


def test_what_only_tests_need_does_not_make_the_app_stale(project: Path) -> None:
    (project / "requirements-dev.txt").write_text("changed")
    assert install.is_current(False, None)
    assert not install.is_current(True, None)


def test_another_python_that_is_asked_for_by_name_makes_it_stale(project: Path) -> None:
    assert not install.is_current(False, (3, 13))


@pytest.mark.parametrize("lost", [".venv/bin/minedisc", ".venv/bin/python", ".venv/pyvenv.cfg", ".venv/minedisc.stamp"])
def test_an_environment_that_lost_a_part_is_not_current(project: Path, lost: str) -> None:
    (project / lost).unlink()
    assert not install.is_current(False, None)


def test_an_install_that_is_current_starts_no_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert install.main([]) == 0
    assert install.main(["--dev"]) == 0


def test_an_unsupported_python_looks_for_a_supported_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.sys, "version_info", (3, 14, 0))
    monkeypatch.setattr(install.shutil, "which", lambda name: f"/opt/{name}" if name == "python3.12" else None)
    assert install.find_python(None) == "/opt/python3.12"
    with pytest.raises(install.SetupError, match=r"3\.14"):
        install.find_python((3, 14))


def test_the_versions_of_the_set_up_are_those_of_the_project() -> None:
    text = (Path(install.__file__).parents[2] / "pyproject.toml").read_text()
    low, high = install.SUPPORTED[0], install.SUPPORTED[-1]
    assert f'requires-python = ">={low[0]}.{low[1]},<{high[0]}.{high[1] + 1}"' in text


@pytest.mark.parametrize("text", ["", "0", "65536", "http", "-1", "80.5"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="PORT"):
        start.checked_port(text)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_told_before_anything_starts(taken_port: int) -> None:
    with pytest.raises(MinediscError, match=f"PORT={taken_port + 1}"):
        start.check_free("127.0.0.1", taken_port)


def test_make_run_on_a_taken_port_ends_with_one_clean_line(
    taken_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINEDISC_HOME", str(tmp_path))
    assert start.main(["--port", str(taken_port)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


ALL_INTERFACES = "0.0.0.0"  # noqa: S104 - only shown, never bound to


@pytest.mark.parametrize(
    ("address", "shown"), [("127.0.0.1", "localhost"), (ALL_INTERFACES, "localhost"), ("192.0.2.7", "192.0.2.7")]
)
def test_the_address_is_shown_as_a_person_types_it(address: str, shown: str) -> None:
    assert start.url(address, 8501) == f"http://{shown}:8501"


def test_a_placeholder_that_does_not_start_is_no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv(browser.BROWSER_VARIABLE, str(broken))
    assert browser.find_chromium() is None
    broken.write_text("#!/bin/sh\necho Chromium 1\n")
    assert browser.find_chromium() == str(broken)
