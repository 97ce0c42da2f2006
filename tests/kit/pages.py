"""Generated pages and parts of pages; with ``UPDATE_DOCS=1`` they are written."""

import os
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def check_page(page, text):
    """A page is this text."""
    if os.environ.get("UPDATE_DOCS"):
        (DOCS / page).write_text(text)
    is_held = (DOCS / page).read_text() == text
    assert is_held, f"docs/{page} is not as it is generated: with UPDATE_DOCS=1 this test writes it"


def check_part(page, name, text):
    """What is between the two marks of this name, in a page, is this text."""
    marks = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    source = (DOCS / page).read_text()
    assert len(marks.findall(source)) == 1
    check_page(page, marks.sub(lambda mark: f"{mark[1]}\n{text}\n\n{mark[2]}", source))
