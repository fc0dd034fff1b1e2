"""How many seeds would settle what is inconclusive: a power calculation at the observed effect and spread."""

from __future__ import annotations

from bisect import bisect_left

from reports.judging.inference import Result

FEWEST, MOST = 3, 200


def seeds_needed(result: Result, level: float, power: float = 0.8) -> int:
    """How many seeds would settle the claim at the observed effect and spread, if its p had to be below `level`.

    FEWEST if there is no spread over seeds to go by, MOST + 1 if it is more than MOST.
    """
    from statsmodels.stats.power import TTestPower

    if not result.sd or result.margin is None:
        return max(FEWEST, result.n + 1) if result.sd is not None else FEWEST
    size = abs(result.margin) / result.sd
    among = result.among if result.margin > 0 else result.against
    candidates = range(max(FEWEST, result.n + 1), MOST + 1)

    def reached(n: int) -> float:
        return TTestPower().power(size, n, level / among, alternative="larger")

    return (*candidates, MOST + 1)[bisect_left(candidates, power, key=reached)]
