"""`facematch new-backend`: a plug-in repository to begin with."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template

import attrs
import click

from facematch_core import __version__
from facematch_core.backend.kinds import typed
from facematch_core.base.files import named

from .files import check_target
from .options import file_option
from .text import say

#: What goes before the name in those of package and distribution.
PREFIX = "facematch"

#: More would break the lines of the files.
LONGEST = 24

#: The template of a file bears its name and ends in ``.txt``, without a dot before it: an installer
#: would compile what ends in ``.py``.
TEMPLATES = Path(__file__).parent / "new_backend_template"

#: What a repository has.
FILES: tuple[str, ...] = (
    ".github/workflows/test.yml",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "src/$package/__init__.py",
    "src/$package/_backend.py",
    "src/$package/_simulator.py",
    "src/$package/py.typed",
    "tests/test_backend.py",
    "tests/test_contract.py",
    "tests/test_package.py",
)


@attrs.frozen
class Author:
    """Who publishes the package; by default who must still be named."""

    name: str = "Your Name"
    email: str = "you@example.com"


@click.command(
    "new-backend",
    short_help="Write a small, complete plug-in repository that passes its own tests.",
)
@click.argument("name")
@file_option(
    "--into",
    "The folder to write it into.",
    show_default="the current one",
    metavar="DIR",
    default=Path(),
)
def command(name: str, into: Path) -> None:
    """Write a small, complete plug-in repository, facematch-NAME, that passes its own tests.

    NAME is the name that opens your backend: small letters, digits and hyphens.

    \b
    facematch new-backend my-vendor
    facematch new-backend my-vendor --into ~/src

    It is for a vendor with an HTTP API. Its vendor is invented: README.md says what to change, in
    order. Its author is that of `git config`, if there is one. A folder that exists is never
    overwritten.
    """
    _check(name)
    folder = into / f"{PREFIX}-{name.replace('_', '-')}"
    if folder.exists() or folder.is_symlink():
        raise click.UsageError(
            f"{folder} exists: choose another name, or another place with --into; nothing was "
            "written."
        )
    check_target("--into", folder, force=False)
    files = files_for(name, author())
    # Written beside its place, and moved there: half a repository is none.
    with named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".facematch."))
        try:
            for path, text in files.items():
                file = scratch / folder.name / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            # A folder in the one of mkdtemp, which nobody but its owner may read.
            (scratch / folder.name).rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    say(
        f"Wrote {len(files)} files to {folder}. Its vendor is invented; README.md says what to "
        "change, in order.",
    )
    say()
    say("Next:")
    # Where the shell does not find us by name, it would find another Python, too.
    is_on_path = shutil.which("facematch")
    python, facematch = ("python", "facematch") if is_on_path else (sys.executable, sys.argv[0])
    # Without a slash pip would take it for the name of a distribution.
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    for words in (
        [python, "-m", "pip", "install", "-e", f"{place}[dev]"],
        [python, "-m", "pytest", str(folder)],
        [facematch, "conformance", name],
    ):
        click.echo(f"  {typed(words)}")


def files_for(name: str, author: Author = Author()) -> dict[str, str]:
    """Path in the repository, with slashes, to text."""
    module = name.replace("-", "_")
    hyphened = name.replace("_", "-")
    parts = [part.capitalize() for part in module.split("_")]
    words = {
        "name": name,
        "Name": "".join(parts),
        "NAME": module.upper(),
        "title": " ".join(parts),
        "package": f"{PREFIX}_{module}",
        "distribution": f"{PREFIX}-{hyphened}",
        # Reserved for examples: it can never be found (RFC 2606).
        "host": f"api.{hyphened}.example",
        # What it is made by is what it has been tried with.
        "core": f"facematch-core>={'.'.join(__version__.split('.')[:2])}",
        # A text of JSON is one of TOML.
        "author": json.dumps(author.name, ensure_ascii=False),
        "email": json.dumps(author.email, ensure_ascii=False),
    }

    def fill(file: str) -> str:
        path = TEMPLATES / f"{file.rpartition('/')[2].removeprefix('.')}.txt"
        return Template(path.read_text(encoding="utf-8")).substitute(words)

    return {Template(file).substitute(words): fill(file) for file in FILES}


def author() -> Author:
    """Who `git config` says that one is."""
    name, email = _git_config("user.name"), _git_config("user.email")
    # Index and build tools refuse others, long after one has forgotten where they came from.
    if not name.isprintable() or not re.fullmatch(r"[^@\s,<>\"]+@[^@\s,<>\"]+", email):
        return Author()
    return Author(name or Author().name, email)


def _git_config(key: str) -> str:
    """A value of git's configuration; empty if there is none, or no git."""
    git = shutil.which("git")
    if git is None:
        return ""
    process = subprocess.run(  # noqa: S603 - no word of it comes from outside
        [git, "config", "--get", key], capture_output=True, encoding="utf-8", check=False
    )
    return process.stdout.strip()


def _check(typed: str) -> None:
    """Refuse what cannot be the name of a backend, or is taken."""
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
        alone = typed[len(PREFIX) + 1 :]
        raise click.UsageError(f"NAME is only the vendor's: {alone}, not {typed!r}.")
    from facematch_core.config.plugins import available_backends

    problem = ""
    if importlib.util.find_spec(f"{PREFIX}_{name}") is not None:
        problem = f"A package {PREFIX}_{name} is installed already."
    for info in available_backends():
        if info.name.replace("-", "_") == name:
            problem = f"A backend {info.name} is installed already, by {info.distribution}."
            break
    if problem:
        raise click.UsageError(f"{problem} Choose another name, such as my-{typed}.")
