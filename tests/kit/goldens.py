"""Texts kept in files beside a test, so that a change is seen. `UPDATE=1` writes them."""

import itertools
import os
from operator import itemgetter


def kept(file, text):
    """Return the text of `file`; UPDATE=1 writes `text` there first."""
    if os.environ.get("UPDATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return file.read_text(encoding="utf-8")


def by_place(facts):
    """Return a line for each place with its sorted facts, from pairs of a place and a fact."""
    groups = itertools.groupby(sorted({*facts}), key=itemgetter(0))
    return "".join(f"{place}: {'; '.join(fact for _, fact in of)}\n" for place, of in groups)


def facts_in(text):
    """Return the pairs of place and fact in a text that `by_place` wrote."""
    lines = (line.partition(": ") for line in text.splitlines())
    return {(place, fact) for place, _, facts in lines for fact in facts.split("; ")}
