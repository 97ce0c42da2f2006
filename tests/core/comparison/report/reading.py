"""A report read back: its elements, its texts, and what it says of its document."""

import functools
import json
from html.parser import HTMLParser
from urllib.parse import unquote

from core.comparison.report.samples import ALL

from facematch_core.comparison._json import to_document
from facematch_core.comparison.report import report_html

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Element:
    """One element: its name, its attributes, its elements and texts in order."""

    def __init__(self, name, attributes, parent):
        self.name, self.attributes, self.parent = name, attributes, parent
        self.parts = []

    def text(self):
        return "".join(p if isinstance(p, str) else p.text() for p in self.parts)

    def all(self, *names):
        for part in self.parts:
            if isinstance(part, Element):
                if not names or part.name in names:
                    yield part
                yield from part.all(*names)

    def within(self, *names):
        parent = self.parent
        while parent is not None:
            if parent.name in names:
                return True
            parent = parent.parent
        return False


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {}, None)

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        made = Element(tag, dict(attrs), self.here)
        self.here.parts.append(made)
        if tag not in VOID:
            self.here = made

    def handle_startendtag(self, tag, attrs):
        self.here.parts.append(Element(tag, dict(attrs), self.here))

    def handle_endtag(self, tag):
        assert self.here.name == tag, (self.here.name, tag)
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.parts.append(data)


def read(html):
    """The root of a page; every element that begins must end, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.here is reader.root
    return reader.root


@functools.cache
def html_of(name):
    """The page of a sample."""
    return report_html(ALL[name]())


@functools.cache
def page(name):
    """The same, read."""
    return read(html_of(name))


@functools.cache
def document(name):
    """The JSON document of a sample, as a program reads it."""
    return json.loads(json.dumps(to_document(ALL[name]()), allow_nan=False))


def at(document, path):
    """The value at a path, as a `data-path` writes it."""
    for step in path.split("."):
        document = document[
            int(step) if isinstance(document, list) else unquote(step, errors="surrogatepass")
        ]
    return document
