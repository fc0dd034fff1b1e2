"""Caltech-101: 101_ObjectCategories/<class>/*.jpg; BACKGROUND_Google is a class.

There is no official split: of every class as many images as declared["training_images"] says, chosen by address,
are for training, and the others for the test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.data import splits
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing


def listing(tree: Path, declared: Declaration) -> Listing:
    samples = official_lists.folders(tree, "101_ObjectCategories", ".jpg", declared)
    labels = np.array([label for _, label in samples])
    each, seed = declared["training_images"]["each"], declared["training_images"]["seed"]
    train = splits.first_of_each_class(labels, np.full(labels.max() + 1, each), seed, "caltech101 train")
    test = np.setdiff1d(np.arange(len(labels)), train)
    return {"train": [samples[i] for i in train], "test": [samples[i] for i in test]}
