"""What every figure shares: limits, colours, printed names, and files that are small and say the same."""

import io
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from reports.drawing.style import PALETTE, lean, like_paper, palette
from reports.record import label


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (30, 70)),
        ([31.0, 69.0], (30, 70)),
        ([28.0, 45.0], (20, 60)),
        ([float("nan"), 12.0], (10, 50)),
        ([75.0, 98.0], (70, 110)),
        ([5.0, 95.0], (0, 100)),
    ],
)
def test_limits_keep_the_papers_span_where_they_can(values, expected):
    assert like_paper(values, (30, 70)) == expected


def test_colours_are_distinct():
    assert len(set(PALETTE)) == len(PALETTE)


@pytest.mark.parametrize(
    ("exhibit", "printed"), [("figure_08", "Figure 8"), ("table_b1", "Table B.1"), ("table_c1", "Table C.1")]
)
def test_an_id_is_printed_as_in_the_paper(exhibit, printed):
    assert label(exhibit) == printed


def drawing():
    """A chart with words, a marker, and an opaque picture of more than 256 colours."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6, 3))
    left.plot([0.123456, 2], [1, 3.14159265], marker="o", label="line, (1) \u03c4")
    left.legend(title='d= "x"')
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    right.imshow(np.stack([*np.meshgrid(ramp, ramp), np.full((64, 64), 7, np.uint8)], axis=-1))
    return figure


def elements(svg):
    """What is drawn, in order: tag, and every number that places it."""
    root = ElementTree.fromstring(svg)
    for data in root.findall("{*}metadata"):
        root.remove(data)
    for element in root.iter():
        at = [element.get(name, default) for name, default in (("x", "0"), ("y", "0"))]
        moved = element.get("transform", "")
        if "use" in element.tag and not moved:
            moved = f"translate({at[0]} {at[1]})"
        places = re.findall(r"-?[\d.]+", element.get("d", "") + moved)
        yield element.tag, element.get("style"), [float(number) for number in places]


def test_a_lean_drawing_draws_the_same_in_fewer_bytes():
    buffer = io.BytesIO()
    drawing().savefig(buffer, format="svg")
    plt.close("all")
    fat = buffer.getvalue().decode()
    thin = lean(fat)
    assert len(thin) < 0.9 * len(fat)
    before, after = list(elements(fat)), list(elements(thin))
    assert len(before) == len(after) > 100
    for (tag, style, places), (same_tag, same_style, same_places) in zip(before, after, strict=True):
        assert (tag, style) == (same_tag, same_style)
        assert same_places == pytest.approx(places, abs=0.0051)
    assert re.findall(r"scale\([^)]*\)", thin) == re.findall(r"scale\([^)]*\)", fat)


def test_a_lean_drawing_keeps_its_words_as_they_are():
    for text in (
        "<!-- 1.23456 L 2.34567 -->",
        "<!-- M z  z -->",
        '<g id="a.12345" style="opacity: 0.12345"/>',
    ):
        assert lean(text) == text


def test_a_palette_keeps_flat_colours_and_leaves_transparency_alone():
    flat = np.zeros((8, 8, 4), np.uint8)
    flat[..., 3], flat[:4, :, 0] = 255, 200
    clear = flat.copy()
    clear[..., 3] = 40
    for pixels in (flat, clear):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "png")
        again = Image.open(io.BytesIO(palette(buffer.getvalue())))
        assert (np.asarray(again.convert("RGBA")) == pixels).all()
        assert again.mode == ("P" if pixels is flat else "RGBA")
