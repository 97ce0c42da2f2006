"""The files of a plug-in repository, as text: templates with the names put in."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from facematch_core import __version__

if TYPE_CHECKING:
    from ._new_backend_names import Names

_TEMPLATES = Path(__file__).parent / "new_backend_template"

#: File of the repository to its template. Templates do not end in ``.py``: an installer would
#: compile them.
FILES: dict[str, str] = {
    ".gitignore": "gitignore.txt",
    "README.md": "README.md.txt",
    "pyproject.toml": "pyproject.toml.txt",
    "src/$package/__init__.py": "__init__.py.txt",
    "src/$package/_backend.py": "_backend.py.txt",
    "src/$package/_double.py": "_double.py.txt",
    "src/$package/_wire.py": "_wire.py.txt",
    "src/$package/py.typed": "py.typed.txt",
    "tests/test_contract.py": "test_contract.py.txt",
    "tests/test_wire.py": "test_wire.py.txt",
}


def files_for(names: Names) -> dict[str, str]:
    """Path, with slashes and relative to the repository, to text."""
    # What it is made by is what it has been tried with.
    words = names.words | {"core": ".".join(__version__.split(".")[:2])}
    return {
        Template(path).substitute(words): Template(
            (_TEMPLATES / template).read_text(encoding="utf-8")
        ).substitute(words)
        for path, template in FILES.items()
    }
