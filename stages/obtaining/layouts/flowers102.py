"""Oxford 102 Flowers: setid.mat (trnid, valid, tstid), imagelabels.mat (labels from 1), jpg/image_00001.jpg."""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:
    labels = official_lists.numbers(tree / "imagelabels.mat", "labels")

    def samples(name: str) -> list[Sample]:
        numbers = official_lists.numbers(tree / "setid.mat", name)
        if numbers and not 1 <= min(numbers) <= max(numbers) <= len(labels):
            raise UserError(
                "a split names an image without a label",
                expected=f"1 to {len(labels)}",
                found=f"{min(numbers)} to {max(numbers)}",
                where=tree / "setid.mat",
            )
        return [(f"jpg/image_{i:05d}.jpg", labels[i - 1] - 1) for i in numbers]

    return {"train": samples("trnid") + samples("valid"), "test": samples("tstid")}
