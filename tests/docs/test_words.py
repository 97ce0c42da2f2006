"""The words of the documentation: how many there are, which ones, and where a page is found."""

import re
from pathlib import Path

from docs.words import findings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: More than this nobody reads. Output and generated pages do not count.
MOST_WORDS = 40_000
GENERATED = re.compile(r"(?s)<!-- generated.*?<!-- end -->")
OUTPUT = re.compile(r"(?ms)^```text\n.*?^```")
#: A name whose docstring is shown, and how.
DIRECTIVE = re.compile(r"(?m)^:::.*$(\n {4}options:.*$)?")
CONSOLE = re.compile(r"(?ms)^```console\n(.*?)^```")


#: For those who carry it on, like the evidence: nobody needs it to use the library.
OF_MAINTAINERS = {"beyond-two-pictures.md", "decisions.md"}


def pages():
    """What people have written for users."""
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        generated = "this page is generated" in page.read_text(encoding="utf-8").lower()
        apart = "evidence" in page.parts or page.name in OF_MAINTAINERS or "LICENSE" in page.name
        if not apart and not generated:
            yield page


def handwritten(text):
    """How many words of a page a person wrote: code and commands, but not what they print."""

    def commands(block):
        return "\n".join(line for line in block[1].splitlines() if line.startswith("$ "))

    for pattern, instead in ((GENERATED, ""), (OUTPUT, ""), (DIRECTIVE, ""), (CONSOLE, commands)):
        text = pattern.sub(instead, text)
    return sum(1 for word in text.split() if re.search(r"\w", word))


def test_it_can_be_read_in_a_few_hours():
    """All pages together have at most so many words."""
    words = {page: handwritten(page.read_text(encoding="utf-8")) for page in pages()}
    assert sum(words.values()) <= MOST_WORDS, sorted(words.items(), key=lambda item: -item[1])


def test_output_does_not_count():
    """Words of prose and a command count, what is printed does not."""
    printed = "```text\nprinted\n```\n```console\n$ make demo\nprinted\n```\n"
    page = f"Two words.\n\n::: a.name\n\n| --- |\n{printed}"
    assert handwritten(page) == 4


def test_every_page_is_in_the_navigation():
    """A page is in the navigation, once, or it is evidence."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    _, _, nav = settings.partition("\nnav:\n")
    nav, _, _ = nav.partition("\n\n")
    listed = re.findall(r"(\S+\.md)$", nav, re.MULTILINE)
    there = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    apart = ("evidence/", "examples/", "photographs/")
    assert sorted(listed) == sorted(page for page in there if not page.startswith(apart))


def test_a_word_is_found_where_readers_are():
    """In prose, comments, docstrings and texts; in no name, no code, nor where it is allowed."""
    words = {"let in": "accept"}
    page = "People are let\nin.\n```python\nlet in\n```\n"
    assert list(findings("a.md", page, words)) == ["a.md:1: 'let in': write accept"]
    code = '"""We let in."""\nlet_in = f"{let_in}"  # let\nx = "let in"  # let in\n'
    assert [line.split(": ")[0] for line in findings("a.py", code, words)] == [
        "a.py:1",
        "a.py:3",
        "a.py:3",
    ]
    assert list(findings("a.js", "let in = 1; // is let in\n", words)) == [
        "a.js:1: 'let in': write accept"
    ]
    allowed = [{"paths": ["a.*"], "words": ["let in"], "why": "a test"}]
    assert not list(findings("a.md", page, words, allowed))
