"""ViewPolicy: which operators make the two views of an image, and in which order."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import gin
import torch
from torch import Tensor

from simclr.declared import Between, OneOf
from simclr.views.ablations import (
    AutoAugment,
    Cutout,
    Equalize,
    GaussianNoise,
    MotionBlur,
    Rotate,
    Sobel,
    Solarize,
)
from simclr.views.base import Address, Drawn, Operator
from simclr.views.ragged import Images, Ragged, as_images
from simclr.views.resample import as_float, resize
from simclr.views.standard import ColorDistortion, GaussianBlur, Grayscale, RandomCrop, RandomFlip

OPERATORS = {
    "crop": RandomCrop,
    "flip": RandomFlip,
    "color": ColorDistortion,
    "blur": GaussianBlur,
    "grayscale": Grayscale,
    "cutout": Cutout,
    "gaussian_noise": GaussianNoise,
    "sobel": Sobel,
    "rotate": Rotate,
    "autoaugment": AutoAugment,
    "equalize": Equalize,
    "solarize": Solarize,
    "motion_blur": MotionBlur,
}


@gin.configurable
class ViewPolicy:
    """Two views of each image, as a pure function of (seed, epoch, image index, view).

    size: side of the square views in pixels.
    ops: operators in the order they apply: names of OPERATORS, whose settings are gin's (random_crop.area, ...)
        or their defaults, or operators as ColorDistortion(strength=0.5). Equal settings draw the same views.
    then: operators that follow `ops` in the same branches, so that a grid can vary the first and the second
        of a pair (Figure 5) or add one to a policy (Table 3). `then` equal to `ops` is one application of it:
        the diagonal of Figure 5. To apply an operator twice, name it twice in `ops`.
    ops_b: the operators of the second view where they differ; [] is the identity (Figure 5). None: as the first.
    shared: operators applied first and once, with one draw for both views (the common crop of Figure 5).

    A branch that has no crop, in itself or shared, starts by resizing the whole image to `size`. Operators
    before a crop see the image at its stored resolution. Views are float32 in [0, 1]; in between, a crop's
    overshoot reaches "flip", "color" and "grayscale", as in the official code, and every other operator
    starts from a clipped image. Where an operator occurs twice its second occurrence draws anew. Raises
    ValueError for an unknown operator.
    """

    def __init__(
        self,
        size: Annotated[int, Between(1, 4096)] = gin.REQUIRED,
        ops: Annotated[Sequence[str | Operator], OneOf(*OPERATORS)] = ("crop", "flip", "color", "blur"),
        ops_b: Annotated[Sequence[str | Operator] | None, OneOf(*OPERATORS)] = None,
        shared: Annotated[Sequence[str | Operator], OneOf(*OPERATORS)] = (),
        then: Annotated[Sequence[str | Operator], OneOf(*OPERATORS)] = (),
    ) -> None:
        self.size = size
        self.shared = _build(shared)
        self.ops = _build(ops if list(then) == list(ops) else [*ops, *then])
        self.ops_b = None if ops_b is None else _build(ops_b)

    def __call__(
        self, images: Images, index: Tensor, epoch: int, seed: int, return_parameters: bool = False
    ) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, tuple[Drawn, Drawn]]:
        """uint8 or [0, 1] images (n, 3, H, W), index int64 (n,) -> two float32 views (n, 3, size, size).

        images may also be a list of images (3, h, w), each of which is cropped from its own full size.
        index: each image's number in its data set. Parameters are drawn on index's device (keep it on the
        CPU: their branches would make a GPU wait) and pixels are made on images' device. With
        return_parameters, a third item says what was drawn for each of the two views, one row per image:
        {"crop/box": ..., "shared/crop/box": ..., "rotate/angle": ...}.
        """
        n, (base, shared) = len(images), self._share(images, index, epoch, seed)
        if self.ops_b is None:  # both views in one batch: half the kernel launches
            views = torch.arange(2, device=index.device).repeat_interleave(n)
            address = Address(seed, "views", epoch, index.repeat(2), views)
            both, drawn = self._run(self.ops, _twice(base), address)
            a, b = both[:n], both[n:]
            drawn_a, drawn_b = ({k: v[half] for k, v in drawn.items()} for half in (slice(n), slice(n, None)))
        else:
            a, drawn_a = self._branch(base, index, epoch, seed, 0)
            b, drawn_b = self._branch(base, index, epoch, seed, 1)
        return (a, b, (shared | drawn_a, shared | drawn_b)) if return_parameters else (a, b)

    def one(
        self,
        images: Images,
        index: Tensor,
        epoch: int,
        seed: int,
        view: int = 0,
        return_parameters: bool = False,
    ) -> Tensor | tuple[Tensor, Drawn]:
        """One view, for training with labels. 0 and 1 are the views of __call__; others are further draws."""
        base, shared = self._share(images, index, epoch, seed)
        one, drawn = self._branch(base, index, epoch, seed, view)
        return (one, shared | drawn) if return_parameters else one

    def _share(self, images: Images, index: Tensor, epoch: int, seed: int) -> tuple[Images, Drawn]:
        """The images both branches start from; Ragged ones as they are stored, because their crops are cheaper."""
        images = as_images(images)
        _check(images, index)
        address = Address(seed, "views/shared", epoch, index, torch.zeros_like(index))
        images = images if isinstance(images, Ragged) else as_float(images)
        images, drawn = _apply(self.shared, images, address, self.size)
        images = _clip(images) if self.shared else images
        return images, {f"shared/{name}": value for name, value in drawn.items()}

    def _branch(
        self, images: Images, index: Tensor, epoch: int, seed: int, view: int
    ) -> tuple[Tensor, Drawn]:
        ops = self.ops_b if view == 1 and self.ops_b is not None else self.ops
        return self._run(ops, images, Address(seed, "views", epoch, index, torch.full_like(index, view)))

    def _run(self, ops: dict[str, Operator], images: Images, address: Address) -> tuple[Tensor, Drawn]:
        if "crop" not in ops and "crop" not in self.shared:
            images = resize(images, self.size).clamp(0, 1)
        images, drawn = _apply(ops, images, address, self.size)
        return images.clamp(0, 1), drawn


def _build(ops: Sequence[str | Operator]) -> dict[str, Operator]:
    """Operators by name, which addresses their draws; a second occurrence of a name is called "name_2"."""
    unknown = [op for op in ops if not isinstance(op, Operator) and op not in OPERATORS]
    if unknown:
        known = ", ".join(OPERATORS)
        raise ValueError(f"unknown operator {unknown[0]!r} in {list(ops)}; known are {known}")
    seen: Counter[str] = Counter()
    built = {}
    for op in ops:
        name = op if isinstance(op, str) else _name_of(op)
        seen[name] += 1
        built[name if seen[name] == 1 else f"{name}_{seen[name]}"] = OPERATORS[op]() if op is name else op
    return built


def _name_of(op: Operator) -> str:
    """The name of its class in OPERATORS; of an operator that is not there, its class's own."""
    return next((name for name, known in OPERATORS.items() if isinstance(op, known)), type(op).__name__)


def _check(images: Images, index: Tensor) -> None:
    """Raises ValueError unless every image is (3, h, w) and has its number."""
    shapes = {tuple(image.shape) for image in images} if isinstance(images, Ragged) else {images.shape[1:]}
    if all(len(shape) == 3 and shape[0] == 3 for shape in shapes) and len(images) == len(index):
        return
    found = f"{len(images)} of {sorted(shapes)[:3]}" if isinstance(images, Ragged) else tuple(images.shape)
    raise ValueError(
        f"expected images (n, 3, H, W) or a list of (3, h, w), and index (n,), found {found} and {tuple(index.shape)}"
    )


def _twice(images: Images) -> Images:
    return Ragged([*images, *images]) if isinstance(images, Ragged) else images.repeat(2, 1, 1, 1)


def _clip(images: Images) -> Images:
    if isinstance(images, Ragged):
        return images.map(_clip)
    return images.clamp(0, 1)


def _one_by_one(op: Operator, images: Ragged, address: Address, size: int) -> tuple[Ragged, Drawn]:
    """An operator that does not change sizes, on images of different sizes: before a crop, and rare."""
    rows = torch.arange(len(images)).split(1)
    pairs = [op(as_float(images[int(i)])[None], address.at(i), size) for i in rows]
    drawn = {name: torch.cat([one[name] for _, one in pairs]) for name in (pairs[0][1] if pairs else ())}
    return Ragged(image[0] for image, _ in pairs), drawn


def _apply(ops: dict[str, Operator], images: Images, address: Address, size: int) -> tuple[Images, Drawn]:
    drawn, overshoot = {}, False
    for name, op in ops.items():
        if overshoot and not op.accepts_overshoot:
            images, overshoot = images.clamp(0, 1), False
        alone = isinstance(images, Ragged) and not op.takes_ragged
        call = partial(_one_by_one, op) if alone else op
        images, parameters = call(images, address.under(name), size)
        overshoot |= op.overshoots
        drawn |= {f"{name}/{key}": value for key, value in parameters.items()}
    return images, drawn
