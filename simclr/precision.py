"""The floating-point numbers in which a network computes.

The official code computes everything in float32. "bfloat16" runs the encoder alone in bfloat16, where nearly all the
operations are: its parameters, h itself, the projection head and the loss stay in float32, because the loss divides
cosines by a temperature of 0.1 or less, and bfloat16 tells no cosines apart that differ by less than a 256th.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

# Of parameters, h and all that follows.
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.float32}
FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")  # what torch calls the instructions


def require_precision(where: str, precision: str) -> None:
    """Raises ValueError for another name than those of DTYPES."""
    if precision not in DTYPES:
        raise ValueError(f"{where}.precision must be one of {sorted(DTYPES)}, found {precision!r}")


def encoded(encoder: nn.Module, images: Tensor, precision: str) -> Tensor:
    """h (n, d) of images (n, 3, H, W) in [0, 1], computed in `precision` and given in its DTYPES."""
    images = images.to(DTYPES[precision], memory_format=torch.channels_last)
    with autocast(images.device, precision):
        h = encoder(images)
    return h.to(DTYPES[precision])


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """A context in which suitable operations use bfloat16, if `precision` asks for that."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def fast_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 (AVX512-BF16, AMX, or Arm's). Without them it is emulated.

    Emulated bfloat16 gives the same kind of result, but takes longer than float32.
    """
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return any(found.get(name, False) for name in FAST_BFLOAT16)
    # Before torch 2.9 there is no public way to ask.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)
