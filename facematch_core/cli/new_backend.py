"""`facematch new-backend`: a plug-in repository to begin with."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template

import click

from facematch_core import __version__

from . import common
from .common import say

#: What goes before the name in those of package and distribution.
PREFIX = "facematch"

#: More would break the lines of the files.
LONGEST = 24

TEMPLATES = Path(__file__).parent / "new_backend_template"

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


@click.command(
    "new-backend",
    short_help="Write a small, complete plug-in repository that passes its own tests.",
)
@click.argument("name")
@click.option(
    "--into",
    type=common.FILE,
    metavar="DIR",
    default=Path(),
    help="The folder to write it into; the current one by default.",
)
def command(name: str, into: Path) -> None:
    """Write a small, complete plug-in repository, facematch-NAME, that passes its own tests.

    NAME is what your backend will be opened by: small letters, digits, hyphens.

    \b
    facematch new-backend my-vendor
    facematch new-backend my-vendor --into ~/src

    The vendor in it is invented, and yours takes its place: README.md says what to change, in
    order. A folder that exists is left alone.
    """
    named = _checked(name)
    folder = into / f"{PREFIX}-{named.replace('_', '-')}"
    if folder.exists() or folder.is_symlink():
        raise click.UsageError(
            f"{folder} exists: choose another name, or another place with --into; nothing was "
            "written."
        )
    common.check_target("--into", folder, force=False)
    files = files_for(named)
    _write(folder, files)
    say(
        f"{folder} is written: {len(files)} files. Its vendor is invented; README.md says what to "
        "change, in order.",
        hang=0,
    )
    say()
    say("Next:")
    # Where the shell does not find us by name, it would find another Python, too.
    found = shutil.which("facematch")
    python, facematch = ("python", "facematch") if found else (sys.executable, sys.argv[0])
    # Without a slash pip would take it for the name of a distribution.
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    for words in (
        [python, "-m", "pip", "install", "-e", f"{place}[testing]"],
        [python, "-m", "pytest", str(folder)],
        [facematch, "conformance", named],
    ):
        common.say_command(f"  {shlex.join(words)}")


def files_for(name: str) -> dict[str, str]:
    """Path, with slashes and relative to the repository, to text.

    Args:
        name: Of the backend and its entry points: ``my_vendor``.
    """
    parts = [part.capitalize() for part in name.split("_")]
    hyphened = name.replace("_", "-")
    words = {
        "name": name,
        "Name": "".join(parts),
        "NAME": name.upper(),
        "title": " ".join(parts),
        "package": f"{PREFIX}_{name}",
        "distribution": f"{PREFIX}-{hyphened}",
        # Reserved for examples: it can never be found (RFC 2606).
        "host": f"api.{hyphened}.example",
        # What it is made by is what it has been tried with.
        "core": ".".join(__version__.split(".")[:2]),
    }
    return {
        Template(path).substitute(words): Template(
            (TEMPLATES / template).read_text(encoding="utf-8")
        ).substitute(words)
        for path, template in FILES.items()
    }


def _checked(typed: str) -> str:
    """The name of the backend, as Python writes it.

    Raises:
        click.UsageError: it is no name, is reserved, or belongs to something that is installed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", typed) or len(typed) > LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", typed.lower()).lstrip("-0123456789")
        near = near[:LONGEST].rstrip("-")
        meant = f"; did you mean {near}?" if near else "."
        raise click.UsageError(
            f"NAME must be small letters, digits and hyphens, a letter first, at most {LONGEST} "
            f"characters, not {typed[:60]!r}{meant}"
        )
    name = typed.replace("-", "_")
    if name.startswith(f"{PREFIX}_"):
        alone = name.removeprefix(f"{PREFIX}_").replace("_", "-")
        raise click.UsageError(f"NAME is the vendor's alone: {alone}, not {typed!r}.")
    problem = _taken(name)
    if problem is not None:
        raise click.UsageError(f"{problem} Choose another name, such as my-{typed}.")
    return name


def _taken(name: str) -> str | None:
    """Why a name is not free; None if it is."""
    from facematch_core.plugins import available_backends

    for info in available_backends():
        if info.name.replace("-", "_") == name:
            return f"A backend {info.name} is installed already, by {info.distribution}."
    if importlib.util.find_spec(f"{PREFIX}_{name}") is not None:
        return f"A package {PREFIX}_{name} is installed already."
    return None


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files beside their place, and move them there: half a repository is none."""
    with common.named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".facematch."))
        try:
            for name, text in files.items():
                file = made / folder.name / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            # A folder in the one of mkdtemp, which nobody but its owner may read.
            (made / folder.name).rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
