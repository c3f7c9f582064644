"""Training curves as a picture: accuracy by epoch, one thin line per fold, as in the paper's figures 5 and 6."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT = 900, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 60, 60
_TRAINING, _VALIDATION, _GREY, _INK = (200, 40, 40), (40, 70, 190), (225, 225, 225), (40, 40, 40)
_SCALE = 2
"""Drawn this many times larger, then made smaller: smooth lines."""


def training_curves(title: str, histories: Sequence[Sequence[Mapping[str, float]]]) -> bytes:
    """A PNG of accuracy (y) by epoch (x): training red, validation blue.

    Args:
        title: what stands above.
        histories: per fold, per epoch: `accuracy` and, where there is a validation part, `validation_accuracy`.
    """
    picture = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE), "white")
    draw = ImageDraw.Draw(picture)
    values = [v for run in histories for epoch in run for name, v in epoch.items() if name.endswith("accuracy")]
    lowest = min(int(min(values, default=0.9) * 10) / 10, 0.9)
    epochs = max((len(run) for run in histories), default=1)
    _axes(draw, title, lowest, epochs)
    for name, colour in (("accuracy", _TRAINING), ("validation_accuracy", _VALIDATION)):
        for run in histories:
            points = [_at(n, epoch[name], lowest, epochs) for n, epoch in enumerate(run, 1) if name in epoch]
            if len(points) > 1:
                draw.line(points, fill=colour, width=_SCALE)
            elif points:
                draw.circle(points[0], 3 * _SCALE, fill=colour)
    packed = io.BytesIO()
    picture.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _at(epoch: int, value: float, lowest: float, epochs: int) -> tuple[float, float]:
    """Where a value lies in the large picture."""
    across = (epoch - 1) / max(epochs - 1, 1)
    up = (value - lowest) / (1 - lowest)
    x = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
    return x * _SCALE, (_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)) * _SCALE


def _axes(draw: Any, title: str, lowest: float, epochs: int) -> None:
    font = ImageFont.load_default(15 * _SCALE)
    for tenth in range(round(lowest * 20), 21):
        level = tenth / 20
        left, right = _at(1, level, lowest, epochs), _at(epochs, level, lowest, epochs)
        draw.line([left, right], fill=_GREY, width=_SCALE)
        draw.text((left[0] - 10 * _SCALE, left[1]), f"{level:.2f}", fill=_INK, font=font, anchor="rm")
    for epoch in sorted({1, *range(5, epochs + 1, 5), epochs}):
        x, y = _at(epoch, lowest, lowest, epochs)
        draw.text((x, y + 8 * _SCALE), str(epoch), fill=_INK, font=font, anchor="mt")
    middle = (_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2) * _SCALE
    draw.text((middle, (_HEIGHT - 14) * _SCALE), "epoch", fill=_INK, font=font, anchor="ms")
    draw.text((_LEFT * _SCALE, 24 * _SCALE), title, fill=_INK, font=font, anchor="ls")
    legend = (("training (while learning, with dropout)", _TRAINING), ("validation", _VALIDATION))
    for number, (text, colour) in enumerate(legend):
        draw.text(((_LEFT + number * 330) * _SCALE, 48 * _SCALE), text, fill=colour, font=font, anchor="ls")
