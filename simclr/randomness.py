"""Addressed randomness: a draw is a pure function of where it is used, never of what was drawn before it.

The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), a
keyed bijection of 128-bit counters. An address fills key and counter like this:

    key      64 bits of BLAKE2b over the decimal seed and the purpose: every bit of a 63-bit seed counts
    counter  (block, index, epoch, view), 32 bits each; block b yields the words 4b .. 4b + 3 of a draw

Views, shuffles and initial weights are therefore the same for any batch split, number of processes or restart
point, and a checkpoint has no generator state to save. A shorter draw is always a prefix of a longer one.
"""

import hashlib
import math

import torch
from torch import Tensor

WORD = 0xFFFFFFFF
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1: what the key grows by in every round


def philox4x32(counter: Tensor, key: tuple[int, int]) -> Tensor:
    """Philox4x32-10: int64 counters (4, ...) and two key words -> int64 (4, ...), all in [0, 2**32).

    int64 has no unsigned product of two 32-bit words, so each product is built from 16-bit halves of the
    multiplier: no intermediate exceeds 2**49 and nothing overflows.
    """
    halves = torch.tensor([[m & 0xFFFF, m >> 16] for m in MULTIPLIERS], device=counter.device)
    keys = torch.tensor([[(k + r * w) & WORD for k, w in zip(key, WEYL, strict=True)] for r in range(ROUNDS)])
    shape = (2,) + (1,) * (counter.dim() - 1)
    low_half, high_half = halves[:, 0].reshape(shape), halves[:, 1].reshape(shape)
    keys = keys.to(counter.device).reshape(ROUNDS, *shape)
    even, odd = counter[0::2], counter[1::2]
    for round_key in keys:
        low = even * low_half
        middle = (even * high_half).add_(low >> 16)
        high = middle >> 16
        low = middle.bitwise_and_(0xFFFF).bitwise_left_shift_(16).bitwise_or_(low.bitwise_and_(0xFFFF))
        even, odd = high.flip(0).bitwise_xor_(odd).bitwise_xor_(round_key), low.flip(0)
    return torch.stack([even, odd], dim=1).reshape(counter.shape)


def bits(seed: int, purpose: str, epoch: int, index: Tensor, view: int | Tensor, count: int) -> Tensor:
    """`count` random 32-bit words for each address: int64 (n, count) in [0, 2**32), on index.device.

    seed is in [0, 2**63), epoch and view in [0, 2**32), index int64 (n,) in [0, 2**32). `view` may also be
    int64 (n,), one number per row. Raises ValueError for an address outside these ranges.
    """
    _check_address(seed, epoch, index, view, count)
    blocks = -(-count // 4)
    counter = torch.empty(4, len(index), blocks, dtype=torch.int64, device=index.device)
    counter[0] = torch.arange(blocks, device=index.device)
    counter[1] = index[:, None]
    counter[2] = epoch
    counter[3] = view[:, None] if isinstance(view, Tensor) else view
    words = philox4x32(counter, address_key(seed, purpose))
    return words.permute(1, 2, 0).reshape(len(index), 4 * blocks)[:, :count]


def uniform(seed: int, purpose: str, epoch: int, index: Tensor, view: int | Tensor, count: int) -> Tensor:
    """Uniform float32 (n, count) in [0, 1), multiples of 2**-24. Addresses as for `bits`."""
    return (bits(seed, purpose, epoch, index, view, count) >> 8).to(torch.float32).mul_(2.0**-24)


def normal(seed: int, purpose: str, epoch: int, index: Tensor, view: int | Tensor, count: int) -> Tensor:
    """Standard normal float32 (n, count) by the Box-Muller transform. Addresses as for `bits`.

    Computed in double and rounded once, because the last digits of log and cos differ between devices and
    even between the vectorised body and the tail of one array. |z| is at most sqrt(64 ln 2) = 6.66.
    """
    words = bits(seed, purpose, epoch, index, view, count + count % 2)
    unit = (words + 1).to(torch.float64).mul_(2.0**-32)  # in (0, 1]: the logarithm below is finite
    radius, angle = (-2.0 * unit[:, 0::2].log()).sqrt_(), unit[:, 1::2] * (2 * math.pi)
    pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    return pairs.flatten(1)[:, :count].to(torch.float32)


def truncated_normal(
    seed: int, purpose: str, epoch: int, index: Tensor, view: int | Tensor, count: int, bound: float = 2.0
) -> Tensor:
    """Standard normal conditioned on |z| < bound, float32 (n, count), by inverting the distribution function.

    This is the distribution that drawing again until |z| < bound has (as TensorFlow does, with bound 2); its
    standard deviation is below 1 (0.8796 for bound 2). Addresses as for `bits`.
    """
    unit = (bits(seed, purpose, epoch, index, view, count).to(torch.float64) + 0.5).mul_(2.0**-32)
    mass = math.erf(bound / math.sqrt(2))
    return (torch.erfinv((2 * unit - 1) * mass) * math.sqrt(2)).to(torch.float32)


def permutation(seed: int, purpose: str, epoch: int, n: int) -> Tensor:
    """A uniformly random order of range(n), int64 (n,): the stable argsort of 64 addressed bits each."""
    words = bits(seed, purpose, epoch, torch.arange(n), 0, 2)
    return torch.argsort(((words[:, 0] - 2**31) << 32) | words[:, 1], stable=True)


def address_key(seed: int, purpose: str) -> tuple[int, int]:
    """The two 32-bit key words of a seed and a purpose."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def _check_address(seed: int, epoch: int, index: Tensor, view: int | Tensor, count: int) -> None:
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must be in [0, 2**63), found {seed}")
    if not 0 <= epoch <= WORD:
        raise ValueError(f"epoch must be in [0, 2**32), found {epoch}")
    if count < 0:
        raise ValueError(f"count must not be negative, found {count}")
    if index.dtype != torch.int64 or index.dim() != 1:
        raise ValueError(f"index must be int64 of shape (n,), found {index.dtype} {tuple(index.shape)}")
    if isinstance(view, Tensor) and view.shape != index.shape:
        raise ValueError(f"view must be a number or one per index ({len(index)}), found {tuple(view.shape)}")
    for name, value in (("index", index), ("view", torch.as_tensor(view))):
        if bool(torch.any(value >> 32)):
            found = f"{value.min().item()} .. {value.max().item()}"
            raise ValueError(f"{name} must be in [0, 2**32), found {found}")
