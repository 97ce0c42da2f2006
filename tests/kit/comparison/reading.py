"""A report read back: its elements, its texts, and what it says of its document."""

import functools
import json
from decimal import Decimal
from html.parser import HTMLParser

from kit.comparison.samples import EVALUATIONS

from facematch_comparison import report_html

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Element:
    def __init__(self, name, attributes, parent):
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.parts = []

    def text(self):
        return "".join(p if isinstance(p, str) else p.text() for p in self.parts)

    def all(self, *names):
        for part in self.parts:
            if isinstance(part, Element):
                if not names or part.name in names:
                    yield part
                yield from part.all(*names)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {}, None)

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        element = Element(tag, dict(attrs), self.here)
        self.here.parts.append(element)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag, attrs):
        self.here.parts.append(Element(tag, dict(attrs), self.here))

    def handle_endtag(self, tag):
        assert self.here.name == tag, (self.here.name, tag)
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.parts.append(data)


def read_html(html):
    """The root of a page; every element that begins must end, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.here is reader.root
    return reader.root


@functools.cache
def html_of(name):
    return report_html(EVALUATIONS[name]())


@functools.cache
def page(name):
    return read_html(html_of(name))


@functools.cache
def document(name):
    return json.loads(json.dumps(EVALUATIONS[name]().to_dict(), allow_nan=False))


def parts_of(document):
    """Every key and value in a document."""
    if isinstance(document, dict):
        yield from document
        document = document.values()
    elif not isinstance(document, list):
        yield document
        return
    for part in document:
        yield from parts_of(part)


def check_numbers(root, document):
    """Each number is in the document, and shown as it is or in percent, with fewer digits."""
    known = {json.dumps(part) for part in parts_of(document) if not isinstance(part, bool)}
    figures = [*root.all("data")]
    for figure in figures:
        value = figure.attributes["value"]
        assert value in known
        shown = Decimal(figure.text().replace(",", "").replace("\N{MINUS SIGN}", "-"))
        unit = Decimal(1).scaleb(shown.as_tuple().exponent)
        # A hair more, for what lies in the middle of two.
        gaps = [abs(shown - Decimal(value) * times) for times in (1, 100)]
        assert min(gaps) <= unit * Decimal("0.5000001"), (figure.text(), value)
    return figures
