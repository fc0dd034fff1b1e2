"""docs/power.md says what scale `reduced` cost: that of its committed records."""

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]


def test_the_cost_is_that_of_the_records():
    records = pd.read_csv(ROOT / "reports/evidence/reduced/records.csv")
    images = (records.seconds * records.images_per_second).round(-3)
    quiet = records.seconds.groupby([records.stage, images]).transform(lambda seconds: seconds.quantile(0.1))
    taken, fastest = records.seconds.sum() / 3600, quiet.sum() / 3600
    words = " ".join((ROOT / "docs/power.md").read_text().split())
    assert f"Its {len(records):,} runs took {taken:.1f} hours of one process" in words
    assert f"it is {fastest:.1f} hours of one process, so {fastest / 2:.1f} of two quiet cores" in words
