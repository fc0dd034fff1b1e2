"""Stanford Cars: devkit/cars_train_annos.mat, cars_test_annos_withlabels.mat, cars_{train,test}/*.jpg."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.errors import UserError
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:

    def samples(split: str, path: Path) -> list[Sample]:
        rows = np.atleast_1d(official_lists.matlab(path, "annotations"))
        if not {"fname", "class"} <= set(rows.dtype.names or ()):
            raise UserError(
                "annotations without labels",
                expected="fields fname and class",
                found=", ".join(rows.dtype.names or ("no fields",)),
                where=path,
                remedy="the file cars_test_annos_withlabels.mat has them for the test images",
            )
        return [(f"cars_{split}/{row['fname']}", int(row["class"]) - 1) for row in rows]

    return {
        "train": samples("train", tree / "devkit" / "cars_train_annos.mat"),
        "test": samples("test", tree / "cars_test_annos_withlabels.mat"),
    }
