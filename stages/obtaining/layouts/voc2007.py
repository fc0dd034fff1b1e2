"""VOC 2007 classification: ImageSets/Main/{train,val,test}.txt, Annotations/*.xml, JPEGImages/*.jpg.

An annotation has object/name and object/difficult (0 or 1). Where all objects of a class are marked difficult,
declared["difficult"] says what their image counts as: "ignored" (UNJUDGED), "present" or "absent".
"""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError
from simclr.labels import UNJUDGED
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample

DIFFICULT = {"ignored": UNJUDGED, "present": 1, "absent": 0}


def listing(tree: Path, declared: Declaration) -> Listing:
    classes = official_lists.Classes(declared["classes"])
    if declared["difficult"] not in DIFFICULT:
        raise UserError(
            "an unknown treatment of difficult objects",
            expected=" | ".join(DIFFICULT),
            found=declared["difficult"],
            where=f"the key `difficult` of {declared['name']} in params/datasets.yaml",
        )
    doubtful = DIFFICULT[declared["difficult"]]

    def labels(image: str) -> list[int]:
        path = tree / "Annotations" / f"{image}.xml"
        row = [0] * len(classes)
        for thing in official_lists.xml(path).findall("object"):
            label = classes.label(thing.findtext("name", "").strip(), path)
            difficult = official_lists.number(thing.findtext("difficult", "").strip(), path)
            row[label] = (row[label] or doubtful) if difficult else 1
        return row

    def samples(split: str) -> list[Sample]:
        path = tree / "ImageSets" / "Main" / f"{split}.txt"
        images = official_lists.lines(path)
        if odd := [image for image in images if "/" in image]:
            raise UserError(
                "a list names no image", expected="names without folders", found=odd[0][:80], where=path
            )
        return [(f"JPEGImages/{image}.jpg", labels(image)) for image in images]

    return {"train": samples("train") + samples("val"), "test": samples("test")}
