"""The same drawing in less than half of the bytes, because a page and its figures travel as one folder.

What a figure shows does not change by more than a hundredth of a point: every path, glyph and picture is still there.
Left out is what draws nothing: comments, spaces, groups and names to which nothing refers. Names are short, styles
that stand on several elements stand once, outlines are written by `outline`, pictures have palettes or are JPEGs.
"""

import base64
import io
import itertools
import re
import string
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from PIL import Image

from reports.drawing.outline import outline, short

SVG, HREF = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
GLYPH = "scale(0.015625)"  # matplotlib's glyphs are drawn with 6400 units to an em, and made smaller by this
UNITS = 8  # of a glyph are one step of its outline here: 800 steps to an em, as fine as fonts are
SMALLER = f"scale({short(UNITS / 64, 3)})"
ElementTree.register_namespace("", SVG)


def lean(svg: str) -> str:
    """The drawing in `svg`, which matplotlib wrote, in few bytes."""
    root = ElementTree.fromstring(svg)
    for data in root.findall(f"{{{SVG}}}metadata"):
        root.remove(data)
    glyphs = _glyphs(root)
    for element in root.iter():
        _shorten(element, glyphs)
    _drop_spaces(root, glyphs)
    _rename(root)
    _unwrap(root)
    _share_styles(root)
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>") + "\n"


def palette(png: bytes) -> bytes:
    """The same picture in 256 colours, in about a third of the bytes: charts look the same, and photographs
    differ by one to three grey levels of 255. A picture that is not opaque keeps its colours.
    """
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png))
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
        picture = picture.convert("RGB").quantize(dither=Image.Dither.NONE)
    picture.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def smallest(png: bytes) -> bytes:
    """The same picture as a PNG with a palette or, where a photograph needs fewer bytes so, as a JPEG: that differs
    from it by one grey level of 255 in the mean, where 256 colours differ by three.
    """
    picture, small = Image.open(io.BytesIO(png)).convert("RGBA"), palette(png)
    opaque = picture.getextrema()[3] == (255, 255)
    if not opaque or picture.getcolors(256) is not None:
        return small
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "jpeg", quality=90, subsampling=0, optimize=True)
    return min(small, buffer.getvalue(), key=len)


def _glyphs(root: Element) -> dict[str, bool]:
    """The names of glyphs, and whether they have an outline: a space has none."""
    found = (element for element in root.iter() if element.get("transform") == GLYPH and element.get("id"))
    return {element.attrib["id"]: bool(element.get("d")) for element in found}


def _shorten(element: Element, glyphs: dict[str, bool]) -> None:
    """Numbers, pictures and white space of one element."""
    has = element.attrib
    element.text = (element.text or "").strip()
    element.tail = ""
    if HREF in has:
        has["href"] = re.sub(r"(?<=^data:image/)png;base64,(.*)", _lean_picture, has.pop(HREF), flags=re.S)
    if moved := re.fullmatch(
        r"translate\((\S+) (\S+)\)", has.get("transform", "") if _is(element, "use") else ""
    ):
        del has["transform"]
        has |= {"x": moved[1], "y": moved[2]}
    if glyphs.get(has.get("id", "")):
        has |= {"d": outline(has["d"], UNITS), "transform": SMALLER}
    elif "d" in has:
        has["d"] = outline(has["d"], 0.01, 2)
    # Within a line of text one unit is a hundredth of an em.
    decimals = 1 if has.get("href", "")[1:] in glyphs else 2
    for name in ("x", "y"):
        if name in has:
            has[name] = short(float(has[name]), decimals)
    if _is(element, "use"):
        for name in [name for name in ("x", "y") if has.get(name) == "0"]:
            del has[name]
    if "transform" in has:
        has["transform"] = re.sub(r"translate\([^)]*\)", _lean_numbers, has["transform"])
    if "style" in has:
        has["style"] = re.sub(r"#(.)\1(.)\2(.)\3\b", r"#\1\2\3", re.sub(r"\s*([:;])\s*", r"\1", has["style"]))


def _drop_spaces(root: Element, glyphs: dict[str, bool]) -> None:
    """Glyphs without an outline, and where they stood."""
    spaces = {name for name, has_outline in glyphs.items() if not has_outline}
    for parent in root.iter():
        for child in list(parent):
            if child.get("id") in spaces or child.get("href", "")[1:] in spaces:
                parent.remove(child)


def _rename(root: Element) -> None:
    """Short names for what is referred to, in the order of the file; none for the rest."""
    named = re.compile(r"(?:^|url\()#([A-Za-z][^)]*)")
    told = [value for element in root.iter() for key, value in element.items() if key != "id"]
    wanted = {name for value in told for name in named.findall(value)}
    names = _names()
    renamed = {name: next(names) for element in root.iter() if (name := element.get("id")) in wanted}
    for element in root.iter():
        if (name := element.attrib.pop("id", None)) in renamed:
            element.set("id", renamed[name])
        for key, value in element.items():
            element.set(key, named.sub(lambda found: found[0].replace(found[1], renamed[found[1]]), value))


def _unwrap(parent: Element) -> None:
    """Groups that say nothing give way to what is in them; empty ones go."""
    for child in list(parent):
        _unwrap(child)
        place = list(parent).index(child)
        if _is(child, "g", "defs") and not len(child):
            parent.remove(child)
        elif _is(child, "g") and not child.attrib:
            parent[place : place + 1] = list(child)


def _share_styles(root: Element) -> None:
    """Styles that stand on several elements become classes in the style sheet that matplotlib opens with."""
    sheet = next(root.iter(f"{{{SVG}}}style"))
    sheet.attrib.clear()
    counted = Counter(element.get("style") for element in root.iter() if element.get("style"))
    names = _names()
    classes = {style: next(names) for style, count in counted.items() if count > 1}
    for element in root.iter():
        if element.get("style") in classes:
            element.set("class", classes[element.attrib.pop("style")])
    rules = [f".{name}{{{style.rstrip(';')}}}" for style, name in classes.items()]
    sheet.text = "".join([re.sub(r":\s+|;\s+", lambda gap: gap[0][0], sheet.text or ""), *rules])


def _names() -> Iterator[str]:
    """a to z, then aa to zz."""
    letters = string.ascii_lowercase
    return map("".join, itertools.chain(letters, itertools.product(letters, letters)))


def _is(element: Element, *tags: str) -> bool:
    return element.tag.removeprefix(f"{{{SVG}}}") in tags


def _lean_numbers(found: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d+", lambda number: short(float(number[0]), 2), found[0])


def _lean_picture(found: re.Match[str]) -> str:
    data = smallest(base64.b64decode(found[1]))
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"{kind};base64,{base64.b64encode(data).decode()}"
