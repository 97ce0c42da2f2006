"""Parts of pages that are generated; with ``UPDATE_DOCS=1`` they are written."""

import os
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def how_to_update():
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
    return f"UPDATE_DOCS=1 .venv/bin/python -m pytest '{test}' writes it"


def check_part(page, name, text):
    marks = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    source = (DOCS / page).read_text()
    count = len(marks.findall(source))
    assert count == 1, f"docs/{page} has {count} places <!-- generated: {name} --> ... <!-- end -->"
    current = marks.sub(lambda mark: f"{mark[1]}\n{text}\n\n{mark[2]}", source)
    if os.environ.get("UPDATE_DOCS"):
        (DOCS / page).write_text(current)
    elif source != current:
        raise AssertionError(f"docs/{page} is stale: {how_to_update()}")
