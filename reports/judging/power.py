"""How many seeds would settle what is inconclusive: a power calculation at the observed effect and spread."""

from __future__ import annotations

from bisect import bisect_left

from reports.judging.inference import LEVEL, Result

FEWEST, MOST = 3, 200


def seeds_needed(result: Result, tests: int, power: float = 0.8) -> int:
    """How many seeds would settle the claim at the observed effect and spread, with Bonferroni over `tests`.

    FEWEST if there is no spread over seeds to go by, MOST + 1 if it is more than MOST.
    """
    from statsmodels.stats.power import TTestPower

    if not result.sd or result.margin is None:
        return max(FEWEST, result.n + 1) if result.sd is not None else FEWEST
    size, level = abs(result.margin) / result.sd, LEVEL / max(1, tests * result.among)
    candidates = range(max(FEWEST, result.n + 1), MOST + 1)
    return (*candidates, MOST + 1)[
        bisect_left(candidates, power, key=lambda n: TTestPower().power(size, n, level, alternative="larger"))
    ]
