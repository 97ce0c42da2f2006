"""`facematch docs`: list, print or search the project's pages."""

from __future__ import annotations

import difflib
import pkgutil
import re
from collections.abc import Iterable, Mapping

import attrs
import click

from .pages import Page, plain, read_pages, with_signatures
from .text import Exit, say

MOST_PAGES_LISTED = 10
NEAREST_PAGES_LISTED = 3
LONGEST_LINE = 120
#: What mentions everything, and seldom explains it.
SELDOM_MEANT = ("SECURITY", "reference/", "examples/")
#: The mock's own function: the core imports no mock.
_CLAIMS = "facematch_mock_server.vendors.claims_page:claims_named"


@attrs.frozen
class Hit:
    """A page with at least one of the words of a search."""

    page: Page
    #: How many of the words the page has.
    words: int
    score: int
    #: The line with most of the words.
    line: str


def page_named(name: str, pages: Mapping[str, Page]) -> Page | None:
    """Return the page of this name, or the only one whose name ends so; None if there is none."""
    name = name.removeprefix("docs/").removesuffix(".md")
    if name in pages:
        return pages[name]
    ending_so = [page for page in pages.values() if page.name.endswith(f"/{name}")]
    return ending_so[0] if len(ending_so) == 1 else None


def claims_named(name: str) -> str | None:
    """Return the claims of a vendor's mock (`claims/didit`), or one by its id (`didit.auth.key`).

    None if there is no such claim, or the extra `mock` is not installed.
    """
    try:
        find_claims = pkgutil.resolve_name(_CLAIMS)
    except ImportError:
        return None
    found: str | None = find_claims(name)
    return found


def search(words: Iterable[str], pages: Mapping[str, Page]) -> list[Hit]:
    """Return the pages with any of the words, the best first.

    A word is found at the beginning of a longer one, in any case, without its plural's "s" and
    with or without hyphens.
    """
    patterns = []
    for word in words:
        singular = word[:-1] if len(word) > 3 and word.endswith("s") else word
        # "plugin" and "plug-in".
        letters = "-?".join(map(re.escape, singular.replace("-", "")))
        patterns.append(re.compile(rf"(?<![a-z0-9]){letters}", re.IGNORECASE))
    hits = []
    for page in pages.values():
        hit = _look_for(patterns, page, plain(page, pages))
        if hit is not None:
            hits.append(hit)
    return sorted(hits, key=lambda hit: (-hit.words, -hit.score, hit.page.name))


def _look_for(patterns: list[re.Pattern[str]], page: Page, text: str) -> Hit | None:
    """Count the words of a search: title and name count most, then headings, then lines."""
    score = words = 0
    lines = text.splitlines()
    for pattern in patterns:
        found = [line for line in lines if pattern.search(line)]
        is_named = bool(pattern.search(f"{page.name} {page.title}"))
        if found or is_named:
            words += 1
        headings = [line for line in found if line.startswith("#")]
        # Limited, because long pages have each word often.
        score += 40 * is_named + 8 * min(len(headings), 3) + min(len(found), 10)
    if not words:
        return None
    if page.name.startswith(SELDOM_MEANT):
        score //= 3
    below_title = [line for line in lines if not line.startswith("# ")]
    best = max(below_title, key=lambda line: _rank_line(line, patterns))
    return Hit(page, words, score, best.strip())


def _rank_line(line: str, patterns: list[re.Pattern[str]]) -> tuple[int, bool]:
    """Rank by the number of words; of several such lines a heading says best what follows."""
    return sum(bool(pattern.search(line)) for pattern in patterns), line.startswith("#")


def nearest(words: Iterable[str], pages: Mapping[str, Page]) -> list[Hit]:
    """Return the best pages for the words of the documentation that look like these.

    A page in another folder than a word says comes first.
    """
    known = {*pages}
    for page in pages.values():
        known.update(re.findall(r"[a-z][a-z0-9_]+", page.source.lower()))
    similar = []
    for word in words:
        similar.append(word.removesuffix(".md").split("/")[-1])
        similar += difflib.get_close_matches(word.lower(), sorted(known), cutoff=0)
    hits = search(similar, pages)
    hits.sort(key=lambda hit: hit.page.name.split("/")[-1] not in similar)
    return hits[:NEAREST_PAGES_LISTED]


def _list_hits(hits: Iterable[Hit], *, err: bool = False) -> None:
    for hit in hits:
        line = hit.line
        if len(line) > LONGEST_LINE:
            line = f"{line[:LONGEST_LINE]}..."
        say(f"{hit.page.name}  {hit.page.title}".rstrip(), err=err)
        say(f"    {line}", err=err)


@click.command("docs")
@click.argument("words", nargs=-1)
def command(words: tuple[str, ...]) -> int:
    """List the project's pages, print one, or search them.

    \b
    facematch docs                       list the pages
    facematch docs test/test-offline     print a page
    facematch docs retry timeout         search: pages with all of the words, the best first
    facematch docs claims/didit          what the mock claims about a vendor, with the sources
    facematch docs didit.auth.missing    one of these claims

    The pages are part of the package, so no network is needed. Exits with 1 if no page has all of
    the words, and lists the nearest.
    """
    pages = read_pages()
    if not words:
        for page in pages.values():
            if not page.is_program:
                say(f"{page.name}  {page.title}")
        return Exit.OK
    words = tuple(" ".join(words).split())
    if len(words) == 1:
        named = page_named(*words, pages)
        text = claims_named(*words) if named is None else plain(named, pages, with_signatures)
        if text is not None:
            click.echo(text.rstrip())
            return Exit.OK
    hits = [hit for hit in search(words, pages) if hit.words == len(words)]
    if not hits:
        say(f"No page has {' and '.join(words)}. The nearest:", err=True)
        _list_hits(nearest(words, pages), err=True)
        return Exit.NO
    _list_hits(hits[:MOST_PAGES_LISTED])
    if len(hits) > MOST_PAGES_LISTED:
        say(f"{len(hits) - MOST_PAGES_LISTED} more: add a word.")
    return Exit.OK
