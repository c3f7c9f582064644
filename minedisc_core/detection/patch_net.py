"""A patch model at work: the score of every patch of a tile, by batches of patches or over the whole tile."""

from __future__ import annotations

import dataclasses
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minedisc_core.detection.architecture import Architecture
from minedisc_core.detection.keras_files import load_net
from minedisc_core.detection.networks import tensorflow
from minedisc_core.detection.patch_cards import PatchCard, file_hash
from minedisc_core.detection.plain_layers import LAYERS
from minedisc_core.detection.whole_tiles import split_for_tiles, tile_network
from minedisc_core.errors import ModelError

REFLECTANCE_DN = 10_000
BATCH_VALUES = 24_000_000
"""Numbers that the widest layer makes of a batch: about 100 MB for each scoring thread."""
MOST_BATCH = 256
STRIP_ROWS = 12
"""Rows of patches that go through the net at once where it runs over whole tiles."""
WHOLE_TILES, PATCHES = "whole tiles", "patches"
_PROBABILITIES = ("sigmoid", "hard_sigmoid", "softmax")


def scaled(dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None, card: PatchCard) -> NDArray[np.float32]:
    """DN (h, w, band) as the net takes them, float32: z-scores (0 = no data), or reflectance clipped to 0..1."""
    pixels: NDArray[np.float32] = dn.astype(np.float32)
    if card.scaling == "reflectance":
        pixels /= np.float32(REFLECTANCE_DN)
        return np.minimum(pixels, np.float32(1), out=pixels)
    pixels -= np.asarray(card.mean, np.float32)
    pixels /= np.asarray(card.std, np.float32)
    if no_data is not None:
        pixels[no_data] = 0
    return pixels


def completed(card: PatchCard, architecture: Architecture) -> PatchCard:
    """The card with what the net's layers tell.

    Raises:
        ModelError: card and layers do not belong together, or the outputs are no scores from 0 to 1.
    """
    rows, cols, bands = architecture.input_shape
    shape = architecture.output_shape
    if bands != len(card.bands):
        raise _unfit(f"the card names {len(card.bands)} bands and the net takes {bands}")
    if (rows, cols) != (card.patch_px, card.patch_px):
        raise _unfit(f"the card says patches of {card.patch_px} px and the net takes {rows} x {cols} px")
    if prod(shape[:-1]) != 1:
        raise _unfit(f"of a patch of {card.patch_px} px the net makes {' x '.join(map(str, shape))} numbers")
    mine = 0 if shape[-1] == 1 else card.mine_output
    if mine is None or mine >= shape[-1]:
        raise _unfit(f"the net has {shape[-1]} outputs, and the card does not say which is the mine (mine_output)")
    if _last_activation(architecture) not in _PROBABILITIES:
        raise _unfit("the net does not end in a sigmoid or a softmax: its outputs are no scores from 0 to 1")
    split = split_for_tiles(architecture, card.stride_px)
    return dataclasses.replace(
        card,
        mine_output=mine,
        outputs=shape[-1],
        parameters=architecture.parameters,
        multiply_adds=architecture.multiply_adds,
        scored_by=WHOLE_TILES if split else PATCHES,
    )


def _unfit(held: str) -> ModelError:
    return ModelError(held, "a card and a net that belong together", "correct the card, or choose the other file")


def _last_activation(architecture: Architecture) -> str:
    """What the numbers went through last, before layers that only gather or do nothing in use."""
    for layer in reversed(architecture.layers):
        if layer.kind == "Softmax":
            return "softmax"
        if LAYERS[layer.kind].reach != "closing" and layer.settings.get("rate") is None and layer.kind != "Flatten":
            return str(layer.settings.get("activation", "linear"))
    return "linear"


class PatchNet:
    """A patch model as the scan wants it (`scan.Net`): the trunk gives the scores, the head hands them on.

    Safe from several threads at once.
    """

    def __init__(self, card: PatchCard, architecture: Architecture, network: Any, threads: int | None = None) -> None:
        self.card, self.architecture = card, architecture
        self._tf = tf = tensorflow(threads)
        split = split_for_tiles(architecture, card.stride_px)
        self.runs_over_tiles = split is not None
        side = None if split else card.patch_px
        used = tile_network(network, architecture, split) if split else network
        spec = tf.TensorSpec((None, side, side, len(card.bands)), tf.float32)
        self._run = tf.function(lambda x: used(x, training=False), input_signature=[spec], autograph=False)

    def trunk(self, dn: NDArray[np.uint16], no_data: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Scores (rows, columns, 1), 0..1, of all patches of DN (h, w, band), one every `stride_px`.

        Raises:
            ModelError: TensorFlow gave up (for example: no memory).
        """
        pixels = scaled(dn, no_data, self.card)
        cells = self.card.geometry
        rows, cols = cells.features_along(dn.shape[0]), cells.features_along(dn.shape[1])
        try:
            found = (
                self._over_tile(pixels, rows, cols) if self.runs_over_tiles else self._by_patches(pixels, rows, cols)
            )
        except self._tf.errors.OpError as error:
            raise ModelError(
                f"TensorFlow could not run the net: {error.message[:300]}", "enough free memory", "resume the run"
            ) from error
        return found.reshape(rows, cols, 1)

    def head(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (h, w) of what the trunk gave."""
        return features[..., 0]

    def _scores(self, given: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = self._run(given).numpy()
        return outputs[..., self.card.mine_output]

    def _by_patches(self, pixels: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
        side, step = self.card.patch_px, self.card.stride_px
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))[::step, ::step]
        patches = np.moveaxis(windows, 2, -1)[:rows, :cols]
        widest = max([prod(self.architecture.input_shape), *(prod(x.sized.shape) for x in self.architecture.layers)])
        batch = max(1, min(MOST_BATCH, BATCH_VALUES // widest))
        found = np.empty(rows * cols, np.float32)
        for start in range(0, len(found), batch):
            places = np.unravel_index(np.arange(start, min(start + batch, len(found))), (rows, cols))
            found[start : start + batch] = self._scores(np.ascontiguousarray(patches[places])).reshape(-1)
        return found

    def _over_tile(self, pixels: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
        step, reach = self.card.stride_px, self.card.patch_px - self.card.stride_px
        pixels = pixels[:, : step * cols + reach]  # whole patches only: a net may give a number for less than one
        strips = []
        for row in range(0, rows, STRIP_ROWS):
            end = min(row + STRIP_ROWS, rows)
            strips.append(self._scores(pixels[None, step * row : step * end + reach])[0, : end - row, :cols])
        return np.concatenate(strips)


def load_patch_net(folder: Path, card: PatchCard, threads: int | None = None) -> PatchNet:
    """The net of a model folder, ready to score; its file is looked through again, and must be the one of the card.

    Raises:
        ModelError: the file is missing, has changed, or is refused.
    """
    path = folder / card.file
    if file_hash(path) != card.sha256:
        raise ModelError(
            f"{path} is not the file that was added: its SHA-256 differs from the card's",
            "the file as it was added",
            "add the model again under another name",
        )
    architecture, network = load_net(path, card.patch_px)
    return PatchNet(completed(card, architecture), architecture, network, threads)
