"""Operators applied one after another, whose images may still have different sizes."""

from functools import partial

import torch

from simclr.views.base import Address, Drawn, Operator
from simclr.views.ragged import Images, Ragged
from simclr.views.resample import as_float


def split_at_crop(ops: dict[str, Operator]) -> tuple[dict[str, Operator], dict[str, Operator]]:
    """The operators up to the first crop, none if there is none, and those after it."""
    names = list(ops)
    count = names.index("crop") + 1 if "crop" in ops else 0
    return {name: ops[name] for name in names[:count]}, {name: ops[name] for name in names[count:]}


def of_each(drawn: Drawn, views: int) -> list[Drawn]:
    """What was drawn for each view of a batch of `views` views."""
    n = {name: len(value) // views for name, value in drawn.items()}
    return [{k: value[i * n[k] : (i + 1) * n[k]] for k, value in drawn.items()} for i in range(views)]


def repeat(images: Images, times: int) -> Images:
    if isinstance(images, Ragged):
        return Ragged([*images] * times)
    return images.repeat(times, 1, 1, 1) if times > 1 else images


def clip(images: Images) -> Images:
    if isinstance(images, Ragged):
        return images.map(clip)
    return images.clamp(0, 1)


def _one_by_one(op: Operator, images: Ragged, address: Address, size: int) -> tuple[Ragged, Drawn]:
    """An operator that does not change sizes, on images of different sizes: before a crop, and rare."""
    rows = torch.arange(len(images)).split(1)
    pairs = [op(as_float(images[int(i)])[None], address.at(i), size) for i in rows]
    drawn = {name: torch.cat([one[name] for _, one in pairs]) for name in (pairs[0][1] if pairs else ())}
    return Ragged(image[0] for image, _ in pairs), drawn


def apply(
    ops: dict[str, Operator], images: Images, address: Address, size: int, overshoot: bool = False
) -> tuple[Images, Drawn]:
    """All operators in their order. overshoot: whether the images may leave [0, 1] to begin with."""
    drawn = {}
    for name, op in ops.items():
        if overshoot and not op.accepts_overshoot:
            images, overshoot = images.clamp(0, 1), False
        alone = isinstance(images, Ragged) and not op.takes_ragged
        call = partial(_one_by_one, op) if alone else op
        images, parameters = call(images, address.under(name), size)
        overshoot |= op.overshoots
        drawn |= {f"{name}/{key}": value for key, value in parameters.items()}
    return images, drawn
