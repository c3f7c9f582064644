"""A file of other people looked at in a process of its own: `python -m minedisc_core.detection.trial FILE CARD`.

Prints one JSON object: the card, completed with what the file tells, or why it is refused. A hostile file can at
worst end this process; the one that asked goes on.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from minedisc_core.detection.keras_files import load_net
from minedisc_core.detection.patch_cards import PatchCard, file_hash, read_patch_card
from minedisc_core.detection.patch_net import PatchNet, completed
from minedisc_core.errors import MinediscError, ModelError

_PATCHES = 2
"""A side."""


def main(arguments: list[str]) -> int:
    """Exit code 0: the file can be used; 1: it is refused; 2: wrong use."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m minedisc_core.detection.trial FILE CARD\n")
        return 2
    path, card_path = map(Path, arguments)
    try:
        card = tried(path, read_patch_card(card_path, is_stored=False))
    except MinediscError as error:
        told = {"found": error.found, "expected": error.expected, "remedy": error.remedy}
        sys.stdout.write(json.dumps({"refused": told}))
        return 1
    sys.stdout.write(json.dumps({"card": dataclasses.asdict(card)}))
    return 0


def tried(path: Path, card: PatchCard) -> PatchCard:
    """The completed card of a file that was looked through, loaded, and scored a few patches.

    Raises:
        ModelError: the file is refused, does not fit the card, or gives scores that are none.
    """
    architecture, network = load_net(path, card.patch_px)
    found = dataclasses.replace(completed(card, architecture), file=f"model{_suffix(path)}", sha256=file_hash(path))
    side = found.geometry.size_px(_PATCHES)
    dn = np.random.default_rng(0).integers(1, 6_000, (side, side, len(found.bands))).astype(np.uint16)
    scores = PatchNet(found, architecture, network).trunk(dn, None)
    if not (np.isfinite(scores) & (scores >= 0) & (scores <= 1)).all():
        raise ModelError(f"the net gives scores such as {scores.ravel()[0]}", "scores from 0 to 1")
    return found


def _suffix(path: Path) -> str:
    with path.open("rb") as file:
        return ".keras" if file.read(2) == b"PK" else ".h5"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
