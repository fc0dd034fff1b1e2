"""ViewPolicy: which operators make the two views of an image, and in which order."""

from collections import Counter
from collections.abc import Iterator, Sequence
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
from simclr.views.chain import apply, clip, of_each, repeat, split_at_crop
from simclr.views.images import Begun
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
        self, images: Images | Begun, index: Tensor, epoch: int, seed: int, return_parameters: bool = False
    ) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, tuple[Drawn, Drawn]]:
        """uint8 or [0, 1] images (n, 3, H, W), index int64 (n,) -> two float32 views (n, 3, size, size).

        images may also be a list of images (3, h, w), each of which is cropped from its own full size, or what
        `begin` made of these (what that part drew is then not among the parameters).
        index: each image's number in its data set. Parameters are drawn on index's device (keep it on the
        CPU: their branches would make a GPU wait) and pixels are made on images' device. With
        return_parameters, a third item says what was drawn for each of the two views, one row per image:
        {"crop/box": ..., "shared/crop/box": ..., "rotate/angle": ...}.
        """
        views, drawn = self._views(images, index, epoch, seed, (0, 1))
        return (*views, drawn) if return_parameters else views

    def one(
        self,
        images: Images | Begun,
        index: Tensor,
        epoch: int,
        seed: int,
        view: int = 0,
        return_parameters: bool = False,
    ) -> Tensor | tuple[Tensor, Drawn]:
        """One view, for training with labels. 0 and 1 are the views of __call__; others are further draws."""
        (one,), (drawn,) = self._views(images, index, epoch, seed, (view,))
        return (one, drawn) if return_parameters else one

    def begin(
        self, images: Images, index: Tensor, epoch: int, seed: int, views: Sequence[int] = (0, 1)
    ) -> Tensor:
        """The part of the views that needs images at their own sizes: all up to the crop, or else up to the resize.

        Returns float32 (len(views), n, 3, size, size), one image of them for all views where a shared crop makes
        it. Of a batch this may be made in parts, and by other processes; the policy called with it as `Begun`, and
        with the same index, epoch and seed, makes the views.
        """
        return self._begin(images, index, epoch, seed, views)[0]

    def _views(
        self, images: Images | Begun, index: Tensor, epoch: int, seed: int, views: Sequence[int]
    ) -> tuple[tuple[Tensor, ...], tuple[Drawn, ...]]:
        if isinstance(images, Begun):
            begun, before = images.views, [{} for _ in views]
        else:
            begun, before = self._begin(images, index, epoch, seed, views)
        made, after = self._finish(begun, index, epoch, seed, views)
        return made, tuple(first | rest for first, rest in zip(before, after, strict=True))

    def _begin(
        self, images: Images, index: Tensor, epoch: int, seed: int, views: Sequence[int]
    ) -> tuple[Tensor, list[Drawn]]:
        images, shared = self._share(images, index, epoch, seed)
        if "crop" in self.shared:
            return images[None], [shared for _ in views]
        begun, drawn = [], []
        for ops, address, copies in self._together(index, epoch, seed, views):
            made, parameters = repeat(images, copies), {}
            if before := split_at_crop(ops)[0]:
                made, parameters = apply(before, made, address, self.size)
            else:
                made = resize(made, self.size).clamp(0, 1)
            begun.append(made.unflatten(0, (copies, len(index))))
            drawn += of_each(parameters, copies)
        return torch.cat(begun) if len(begun) > 1 else begun[0], [shared | own for own in drawn]

    def _finish(
        self, begun: Tensor, index: Tensor, epoch: int, seed: int, views: Sequence[int]
    ) -> tuple[tuple[Tensor, ...], list[Drawn]]:
        done, made, drawn = 0, [], []
        for ops, address, copies in self._together(index, epoch, seed, views):
            if "crop" in self.shared:
                images, after, overshoot = repeat(begun[0], copies), ops, False
            else:
                images, (before, after) = begun[done : done + copies].flatten(0, 1), split_at_crop(ops)
                overshoot = any(op.overshoots for op in before.values())
            images, parameters = apply(after, images, address, self.size, overshoot)
            made += images.clamp(0, 1).unflatten(0, (copies, len(index))).unbind()
            drawn += of_each(parameters, copies)
            done += copies
        return tuple(made), drawn

    def _share(self, images: Images, index: Tensor, epoch: int, seed: int) -> tuple[Images, Drawn]:
        """The images both branches start from; Ragged ones as they are stored, because their crops are cheaper."""
        images = as_images(images)
        _check(images, index)
        address = Address(seed, "views/shared", epoch, index, torch.zeros_like(index))
        images = images if isinstance(images, Ragged) else as_float(images)
        images, drawn = apply(self.shared, images, address, self.size)
        images = clip(images) if self.shared else images
        return images, {f"shared/{name}": value for name, value in drawn.items()}

    def _together(
        self, index: Tensor, epoch: int, seed: int, views: Sequence[int]
    ) -> Iterator[tuple[dict[str, Operator], Address, int]]:
        """Operators, address and number of the views that are made in one batch: half the kernel launches."""
        groups = [views] if self.ops_b is None else [[view] for view in views]
        for group in groups:
            ops = self.ops_b if self.ops_b is not None and group[0] == 1 else self.ops
            numbers = torch.tensor(group, device=index.device).repeat_interleave(len(index))
            yield ops, Address(seed, "views", epoch, index.repeat(len(group)), numbers), len(group)


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
