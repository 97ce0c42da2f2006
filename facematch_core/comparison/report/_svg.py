"""matplotlib's SVG as a part of a page: no style, no foreign name, colours as classes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Final

from ._styles import STAND_INS

_NAMES: Final = {stand_in: name for name, stand_in in STAND_INS.items()}

#: Attributes of the drawing program that a page has no use for.
_NEEDLESS: Final = ("style", "id", "version")

#: Declarations that are attributes as they are.
_ATTRIBUTES: Final = (
    "opacity",
    "fill-opacity",
    "stroke-opacity",
    "stroke-width",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "fill-rule",
    "clip-rule",
    "font-size",
    "text-anchor",
)

_SIZE = re.compile(r"([0-9.]+)px")
_FRACTION = re.compile(r"-?\d+\.\d{3,}")


def page_part(drawn: str, name: str, title: str, description: str) -> str:
    """A drawing to stand inside an HTML page.

    Args:
        drawn: What matplotlib wrote, with the stand-ins of `_styles` for colours.
        name: Of the figure, for its ids: letters, digits and hyphens, once in a page.
        title, description: For those who do not see it; any text.
    """
    # What is read is what matplotlib has just written, not what somebody sent.
    root = ET.fromstring(drawn)  # noqa: S314
    for parent in [*root.iter()]:
        for child in [*parent]:
            if _tag(child) in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        _clean(element, name)
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        told = ET.Element(tag, {"id": f"{name}-{tag}"})
        told.text = text
        root.insert(place, told)
    root.attrib = {
        "class": "plot",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
    }
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _tag(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _clean(element: ET.Element, name: str) -> None:
    old = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    element.tag = _tag(element)
    element.tail = None
    if element.tag != "text" and element.text and not element.text.strip():
        element.text = None
    kept = {key: value for key, value in old.items() if key not in _NEEDLESS}
    # Names are needed by what refers to them, and a page has each only once.
    if "id" in old and element.tag in ("clipPath", "path"):
        kept["id"] = f"{name}-{old['id']}"
    if "href" in kept:
        kept["href"] = f"#{name}-{kept['href'].removeprefix('#')}"
    if "clip-path" in kept:
        kept["clip-path"] = kept["clip-path"].replace("url(#", f"url(#{name}-")
    for key in ("d", "points", "transform", "x", "y", "width", "height"):
        if key in kept:
            kept[key] = " ".join(_FRACTION.sub(_shorter, kept[key]).split())
    element.attrib = kept
    classes = [word for one in old.get("style", "").split(";") if (word := _declared(kept, one))]
    if classes:
        kept["class"] = " ".join(classes)


def _declared(kept: dict[str, str], declaration: str) -> str | None:
    """Take one declaration over as an attribute, or give the class that stands for it."""
    key, _, value = (part.strip() for part in declaration.partition(":"))
    if key in ("fill", "stroke"):
        if value in ("none", "transparent"):
            kept[key] = "none"
            return None
        # A colour without a name would be the same in the dark: a fault of ours.
        return f"{key}-{_NAMES[value]}"
    if key == "font" and (size := _SIZE.search(value)):
        kept["font-size"] = size[1]
    elif key in _ATTRIBUTES:
        kept[key] = value.removesuffix("px")
    return None


def _shorter(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
