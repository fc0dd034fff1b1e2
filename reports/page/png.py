"""What a page has to know of a figure before its reader's browser has read it."""

from __future__ import annotations

INDEXED = 3  # the colour type of a PNG without photographs, as reports.drawing.style writes it
HEAD = 26  # bytes of a PNG that say its size and its colour type


def has_photos(png: bytes) -> bool:
    """Whether a figure shows photographs, which a page leaves as they are in the dark; the first HEAD bytes will do."""
    return png[HEAD - 1] != INDEXED


def size(png: bytes) -> tuple[int, int]:
    """Its width and height in pixels; the first HEAD bytes will do."""
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
    return width, height
