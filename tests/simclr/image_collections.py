"""What every collection of images must do, whatever holds them."""

import torch

from simclr.views import ImageCollection, Ragged, rows_of


def check_collection(images: ImageCollection, expected: list[torch.Tensor]) -> None:
    """Hold a collection to `ImageCollection`, given its images (3, h, w) one by one; at least three."""
    assert isinstance(images, ImageCollection) and len(images) == len(expected)
    for numbers in ([2, 0, 2], [1], list(range(len(expected)))):
        same(rows_of(images, torch.tensor(numbers)), [expected[i] for i in numbers], images.device)
    parts = list(images.split(2))
    assert [len(part) for part in parts] == [2] * (len(expected) // 2) + [1] * (len(expected) % 2)
    for start, part in enumerate(parts):
        same(part, expected[2 * start :][:2], images.device)


def same(found, expected, device):
    assert isinstance(found, torch.Tensor | Ragged) and found.device == device and len(found) == len(expected)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
