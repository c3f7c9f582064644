"""In which numbers a net is trained: float32, or bfloat16 with float32 weights where the processor multiplies it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from minedisc_core.errors import UsageError

Policy = Literal["float32", "mixed_bfloat16"]
PolicyWord = Literal["float32", "mixed_bfloat16", "auto"]
_FLAGS = {"avx512_bf16", "amx_bf16"}
_CPUINFO = Path("/proc/cpuinfo")


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether the processor says that it multiplies bfloat16 (AVX-512 BF16 or AMX); False where it cannot be asked."""
    if not cpuinfo.is_file():
        return False
    lines = cpuinfo.read_text(errors="replace").splitlines()
    flags = next((line.split(":", 1)[1] for line in lines if line.startswith("flags") and ":" in line), "")
    return bool(_FLAGS & set(flags.split()))


def policy_of(word: str) -> Policy:
    """The policy that a word asks for; `auto` is mixed_bfloat16 where the processor has it.

    Raises:
        UsageError: the word is none.
    """
    if word == "auto":
        return "mixed_bfloat16" if has_bfloat16() else "float32"
    if word == "float32":
        return "float32"
    if word == "mixed_bfloat16":
        return "mixed_bfloat16"
    raise UsageError(f"there is no precision {word!r}", "float32, mixed_bfloat16 or auto")
