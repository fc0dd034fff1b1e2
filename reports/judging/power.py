"""How many seeds would settle what is inconclusive: a power calculation at the observed effect and spread."""

from __future__ import annotations

from bisect import bisect_left

from reports.judging.inference import LEVEL, Result


def seeds_needed(result: Result, tests: int, power: float = 0.8, most: int = 200) -> int | None:
    """How many seeds would settle the claim at the observed effect and spread, with Bonferroni over `tests`.

    Three if there is no spread to go by; None if it is more than `most`, or if seeds are not what a test is short of.
    """
    if result.effect is None or (result.p is not None and result.sd is None):
        return None
    if not result.sd or result.margin is None or result.freedom is None:
        return 3
    from statsmodels.stats.power import TTestPower

    size, level = abs(result.margin) / result.sd, LEVEL / max(1, tests)

    def reached(n: int) -> float:
        return TTestPower().power(size, n, level, df=result.freedom * (n - 1), alternative="larger")

    candidates = range(max(3, result.n + 1), most + 2)
    n = candidates[bisect_left(candidates, power, hi=len(candidates) - 1, key=reached)]
    return n if n <= most else None
