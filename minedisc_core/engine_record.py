"""Which library scored a run: part of the run's record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineRecord:
    """Which library scored a run (`detection.engines`)."""

    name: str = "tensorflow"
    """`tensorflow` (the reference), `openvino` (float32) or `openvino-bf16` (factors rounded to bfloat16)."""
    version: str = ""
    """Of the library; empty in runs that were made before it was recorded."""
    processor: str = ""
    """What the engine was proved on; empty for the reference."""
    largest_difference: float | None = None
    """Between its scores and the reference's on the fixed probe; None for the reference."""
    refused: tuple[str, ...] = ()
    """Engines that were left out, each with the reason."""
    cells_looked_twice: int = 0
    """Cells of the run so near the threshold that rounding might decide, scored once more in float32."""
    scheduler: str = ""
    """Address of the Dask scheduler whose workers scored the tiles; empty: the scan's own process did."""
    workers: int = 0
    """Most workers that the scan saw there."""

    def __str__(self) -> str:
        return " ".join(filter(None, (_ENGINE_WORDS.get(self.name, self.name), self.version.split("-")[0])))


_ENGINE_WORDS = {"tensorflow": "TensorFlow", "openvino": "OpenVINO", "openvino-bf16": "OpenVINO (bfloat16)"}
