"""What every figure shares: limits, colours, printed names, and files that are small and say the same."""

import io
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from reports.drawing.lean import lean, palette, smallest
from reports.drawing.outline import outline
from reports.drawing.style import PALETTE, like_paper, notes, style
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


def places(data):
    """The places that path data leads to, relative letters and left-out repetitions told in full."""
    here, start, found, letter = (0.0, 0.0), (0.0, 0.0), [], ""
    sizes = {"m": 2, "l": 2, "h": 1, "v": 1, "q": 4, "c": 6, "z": 0}
    for letter, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", data):
        values = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        size, relative = sizes[letter.lower()], letter.islower()
        if size == 0:
            here = start
        for first in range(0, len(values), size or 1):
            step = values[first : first + size]
            if letter in "hv":
                step = [step[0], 0.0] if letter == "h" else [0.0, step[0]]
            pairs = list(zip(step[::2], step[1::2], strict=True))
            ends = [(x + here[0], y + here[1]) if relative else (x, y) for x, y in pairs]
            start = ends[-1] if letter in "mM" and first == 0 else start
            here = ends[-1]
            found += ends
    return found


def drawn(svg):
    """What is drawn, in order: the places of each line or area, and how many glyphs and pictures."""
    root, href = ElementTree.fromstring(svg), "{http://www.w3.org/1999/xlink}href"
    scaled = {e.get("id"): e for e in root.findall(".//{*}path") if "scale(" in (e.get("transform") or "")}
    outlines = [places(e.get("d", "")) for e in root.findall(".//{*}path") if e not in scaled.values()]
    targets = [(e.get("href") or e.get(href))[1:] for e in root.findall(".//{*}use")]
    glyphs = [name for name in targets if name not in scaled or scaled[name].get("d")]
    return [each for each in outlines if each], len(glyphs), len(root.findall(".//{*}image"))


def test_a_lean_drawing_draws_the_same_in_fewer_bytes():
    buffer = io.BytesIO()
    drawing().savefig(buffer, format="svg")
    plt.close("all")
    fat = buffer.getvalue().decode()
    thin = lean(fat)
    assert len(thin) < 0.6 * len(fat)
    (lines, glyphs, pictures), (same_lines, same_glyphs, same_pictures) = drawn(fat), drawn(thin)
    assert (glyphs, pictures) == (same_glyphs, same_pictures) and glyphs > 50 and pictures == 1
    assert len(lines) == len(same_lines) > 10
    for line, same in zip(lines, same_lines, strict=True):
        assert np.allclose(line, same, atol=0.0101)


def test_a_lean_drawing_refers_only_to_what_it_has():
    buffer = io.BytesIO()
    drawing().savefig(buffer, format="svg")
    plt.close("all")
    thin = lean(buffer.getvalue().decode())
    named = set(re.findall(r' id="([^"]+)"', thin))
    told = set(re.findall(r'href="#([^"]+)"', thin)) | set(re.findall(r"url\(#([^)]+)\)", thin))
    assert told == named


@pytest.mark.parametrize(
    ("data", "grid", "decimals", "expected"),
    [
        ("M8 8L16 24Z", 8, 0, "m1 1 1 2z"),
        ("M.126 0L1 0", 0.01, 2, "m.13 0h.87"),
        ("M0 0L5 5L10 0", 1, 0, None),
    ],
)
def test_an_outline_leads_to_the_same_places(data, grid, decimals, expected):
    said = outline(data, grid, decimals)
    assert expected is None or said == expected
    scale = 1 if decimals else grid
    again = [(x * scale, y * scale) for x, y in places(said)]
    assert np.allclose(again, places(data), atol=grid / 2 + 1e-9)


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


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def test_a_photograph_is_nearer_and_smaller_and_flat_or_clear_pictures_stay_exact():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    photograph = np.stack([*np.meshgrid(ramp, ramp), np.full((64, 64), 7, np.uint8)], axis=-1)
    whole, few = png(photograph), palette(png(np.dstack([photograph, np.full((64, 64), 255, np.uint8)])))
    small = smallest(whole)
    off = [
        np.abs(np.asarray(Image.open(io.BytesIO(each)).convert("RGB")).astype(int) - photograph).mean()
        for each in (small, few)
    ]
    assert len(small) < len(few) and off[0] < 2 and off[0] < off[1]
    flat, clear = photograph // 128 * 128, np.dstack([photograph, np.full((64, 64), 40, np.uint8)])
    for pixels in (flat, clear):
        again = Image.open(io.BytesIO(smallest(png(pixels)))).convert("RGBA")
        assert (np.asarray(again) == np.asarray(Image.fromarray(pixels).convert("RGBA"))).all()


@pytest.mark.parametrize("width", [5.4, 6.4, 7.4])
def test_notes_stay_within_the_width_of_their_figure(lab, width):
    missing = [f"linear_eval/part1-architecture{place}-augmentation{place}-seed0" for place in range(4)]
    lab.put("figure_09", ["batch_size", "epochs"], [], missing=missing)
    with style("figure_09"):
        figure, _ = plt.subplots(figsize=(width, 3))
        notes(
            figure, lab.load("figure_09"), "Averages of ours and of the difference are over the cells. " * 9
        )
        figure.canvas.draw()
        box = figure._supxlabel.get_window_extent()
        assert 0.7 * figure.bbox.width < box.width and box.x1 <= figure.bbox.width


def test_an_error_bar_is_told_from_a_dark_bar(lab):
    rows = [[64, 1, seed, "top1", 30.0 + seed, f"b-seed{seed}"] for seed in (0, 1)]
    lab.put("figure_09", ["batch_size", "epochs"], rows)
    bars = [
        part for axes in lab.figure("figure_09").axes for part in axes.containers if hasattr(part, "has_yerr")
    ]
    assert bars and all(line.get_path_effects() for drawn in bars for line in (*drawn[1], *drawn[2]))
