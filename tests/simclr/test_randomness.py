"""Philox against Random123's known answers, and what addressing promises."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr.randomness import bits, normal, permutation, philox4x32, truncated_normal, uniform

KNOWN_ANSWERS = [  # counter, key, output: kat_vectors of Random123
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
ADDRESS = {"seed": 3, "purpose": "test", "epoch": 1, "index": torch.arange(6), "view": 0}


def ks_distance(sample: torch.Tensor, cdf) -> float:
    """Kolmogorov-Smirnov distance of a sample from a continuous distribution."""
    ordered = np.sort(sample.double().flatten().numpy())
    steps = np.arange(len(ordered) + 1) / len(ordered)
    expected = np.array([cdf(x) for x in ordered])
    return float(max((expected - steps[:-1]).max(), (steps[1:] - expected).max()))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, expected):
    assert tuple(philox4x32(torch.tensor(counter), key).tolist()) == expected


def python_philox(counter: list[int], key: list[int]) -> list[int]:
    """The same rounds with Python's unbounded integers."""
    for _ in range(10):
        p0, p1 = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        low, mask = [p0 & 0xFFFFFFFF, p1 & 0xFFFFFFFF], 0xFFFFFFFF
        counter = [(p1 >> 32) ^ counter[1] ^ key[0], low[1], (p0 >> 32) ^ counter[3] ^ key[1], low[0]]
        key = [(key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask]
    return counter


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6))
def test_halves_multiply_like_unbounded_integers(words):
    got = philox4x32(torch.tensor(words[:4]), (words[4], words[5]))
    assert got.tolist() == python_philox(words[:4], words[4:])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(0, 5), st.integers(1, 11), st.sampled_from([bits, uniform, normal]))
def test_a_draw_does_not_depend_on_the_batch_it_is_drawn_in(n, cut, count, draw):
    index = torch.tensor([5, 0, 2**32 - 1, 77, 2**31, 12, 1])[:n]
    together = draw(9, "crop", 4, index, 1, count)
    apart = torch.cat([draw(9, "crop", 4, part, 1, count) for part in (index[:cut], index[cut:])])
    assert together.shape == (n, count)
    assert torch.equal(together, apart)


@pytest.mark.parametrize("draw", [bits, uniform, normal, truncated_normal])
def test_a_shorter_draw_is_a_prefix(draw):
    assert torch.equal(draw(**ADDRESS, count=3), draw(**ADDRESS, count=18)[:, :3])


def test_views_in_one_call_are_the_views_apart():
    index, view = torch.arange(4).repeat(2), torch.arange(2).repeat_interleave(4)
    apart = torch.cat([uniform(1, "p", 2, torch.arange(4), v, 5) for v in (0, 1)])
    assert torch.equal(uniform(1, "p", 2, index, view, 5), apart)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"seed": 3 + 2**32},
        {"seed": 3 + 2**62},
        {"purpose": "tesu"},
        {"epoch": 2},
        {"view": 1},
        {"index": torch.arange(6) + 6},
    ],
    ids=str,
)
def test_every_part_of_the_address_counts(change):
    one, other = bits(**ADDRESS, count=8), bits(**(ADDRESS | change), count=8)
    assert not bool((one == other).any())  # 48 words: a chance match has probability 1e-8


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 62))
def test_every_bit_of_the_seed_counts(seed, bit):
    one, other = (bits(s, "p", 0, torch.arange(2), 0, 4) for s in (seed, seed ^ (1 << bit)))
    assert not torch.equal(one, other)


def test_uniforms_are_multiples_of_2_to_the_minus_24_below_one():
    draw = uniform(0, "uniform", 0, torch.arange(20_000), 0, 4)
    assert draw.dtype == torch.float32
    assert bool(((draw >= 0) & (draw < 1)).all())
    assert torch.equal((draw.double() * 2**24).round(), draw.double() * 2**24)


# 1.95 / sqrt(n) is the Kolmogorov-Smirnov quantile at 0.001; seeds are fixed, so these never flicker.
@pytest.mark.parametrize("axis", ["index", "block", "epoch", "view"])
def test_uniforms_are_uniform_along_every_part_of_the_counter(axis):
    n, one = 4000, torch.zeros(1, dtype=torch.int64)
    draws = {
        "index": lambda: uniform(0, "ks", 0, torch.arange(n), 0, 1),
        "block": lambda: uniform(0, "ks", 0, one, 0, n),
        "epoch": lambda: torch.cat([uniform(0, "ks", e, one, 0, 4) for e in range(n // 4)]),
        "view": lambda: uniform(0, "ks", 0, torch.zeros(n, dtype=torch.int64), torch.arange(n), 1),
    }[axis]()
    assert ks_distance(draws, lambda x: x) < 1.95 / math.sqrt(n)


def test_normals_are_normal_and_pairs_are_independent():
    draw = normal(0, "ks", 0, torch.arange(10_000), 0, 2)
    assert ks_distance(draw, normal_cdf) < 1.95 / math.sqrt(20_000)
    assert abs(torch.corrcoef(draw.T)[0, 1]) < 3.3 / math.sqrt(10_000)
    assert abs(torch.corrcoef(draw.T.square())[0, 1]) < 3.3 / math.sqrt(10_000)


def test_truncated_normals_have_the_conditional_distribution():
    draw, tail = truncated_normal(0, "ks", 0, torch.arange(20_000), 0, 1), normal_cdf(-2)
    assert draw.abs().max() < 2
    assert ks_distance(draw, lambda x: (normal_cdf(x) - tail) / (1 - 2 * tail)) < 1.95 / math.sqrt(20_000)
    assert draw.std() == pytest.approx(0.8796, abs=0.01)


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_permutation_holds_every_number_once(n):
    assert torch.equal(permutation(5, "shuffle", 3, n).sort().values, torch.arange(n))


def test_permutations_are_uniform_over_the_orders():
    orders = torch.stack([permutation(0, "shuffle", epoch, 3) for epoch in range(1200)])
    counts = orders.unique(dim=0, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 200.0) ** 2 / 200).sum() < 20.5  # chi-squared with 5 degrees of freedom at 0.001


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"seed": 2**63}, {"epoch": -1}, {"view": 2**32}, {"view": torch.tensor([0, 1])}]
    + [{"index": torch.tensor(value)} for value in ([-1], [2**32], [0.0], [[0]])]
    + [{"count": -1}],
    ids=str,
)
def test_an_address_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        bits(**(ADDRESS | {"count": 1} | wrong))


def test_normals_of_the_smallest_and_the_largest_words(monkeypatch):
    """The smallest word is as far out as any goes, and finite; the largest is none at all."""
    words = torch.tensor([[0, 0], [2**32 - 1, 2**32 - 1]])
    monkeypatch.setattr("simclr.randomness.bits", lambda *address: words)
    (far, beside), nought = normal(0, "p", 0, torch.arange(2), 0, 2).tolist()
    assert far == pytest.approx(math.sqrt(64 * math.log(2)), rel=1e-6)
    assert beside == pytest.approx(far * 2 * math.pi * 2.0**-32, rel=1e-6)
    assert nought == [0, 0]
