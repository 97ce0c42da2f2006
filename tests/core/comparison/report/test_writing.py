"""`write_report`, and what importing it loads."""

import os
import subprocess
import sys

import pytest
from core.comparison.report.reading import html_of
from core.comparison.report.samples import hostile, two

from facematch_core.comparison.report import write_report


def test_the_file_is_the_page(tmp_path):
    """UTF-8, in place of an older one, for whoever may read new files."""
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(two(), path)
    assert path.read_text(encoding="utf-8") == html_of("two")
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert [*tmp_path.iterdir()] == [path]


def test_any_name_can_be_written(tmp_path):
    """Also one with half a letter in it."""
    write_report(hostile(), tmp_path / "report.html")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    """Neither a piece of it nor the folder."""
    with pytest.raises(OSError):
        write_report(two(), tmp_path / "missing" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_report(two(), tmp_path / "folder")
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_the_import_is_light():
    """Neither the templates nor the drawing program are loaded before a page is made."""
    code = "import facematch_core.comparison.report, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert not {"jinja2", "matplotlib", "numpy", "scipy"} & set(done.stdout.split())
