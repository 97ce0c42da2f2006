"""The table of promises holds: each break can be made, and the page says what the table does."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from kit.pages import how_to_update

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "maintain" / "promises.md"
MARKS = "<!-- generated: promises -->\n", "<!-- end -->\n"
PROMISES = tomllib.loads((Path(__file__).with_name("promises.toml")).read_text())["promise"]
named = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise["name"])


@named
def test_every_break_can_be_made_and_its_tests_are_there(promise):
    assert len(promise["break"]) >= 10
    for change in promise["break"]:
        text = (ROOT / change["file"]).read_text(encoding="utf-8")
        assert text.count(change["old"]) == 1, (change["file"], change["old"])
        assert change["new"] != change["old"]
    for place in promise["tests"]:
        assert (ROOT / place).exists(), place


@named
def test_it_stands_where_the_table_says(promise):
    for place in promise["said_in"]:
        page, _, words = place.partition(": ")
        text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        for word in (words or promise["name"]).split("; "):
            assert word.lower() in text.lower(), place


def test_what_the_readme_promises_in_bold_is_in_the_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    reasons = text.partition("## Why not call the vendor directly?")[2].partition("\n## ")[0]
    bold = re.findall(r"^- \*\*(.+?)\.\*\*", reasons, re.MULTILINE)
    assert len(bold) >= 6
    assert {*bold} <= {promise["name"] for promise in PROMISES}


def test_the_page_names_them_all():
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    parts = []
    for promise in PROMISES:
        files = dict.fromkeys(change["file"] for change in promise["break"])
        parts += [
            f"## {promise['name']}\n",
            f"{promise['says'].strip()}\n",
            f"Held by {', '.join(f'`{place}`' for place in promise['tests'])}.\n",
            f"Broken {len(promise['break'])} times: {', '.join(f'`{file}`' for file in files)}.\n",
        ]
    expected = f"{before}{MARKS[0]}\n{chr(10).join(parts)}\n{end}{after}"
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(expected, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == expected, how_to_update()
