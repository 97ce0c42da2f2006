"""`facematch new-backend`: a plug-in repository to begin with."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from string import Template

import click

from facematch_core import __version__
from facematch_core.backend.kinds import typed
from facematch_core.base.files import named

from .files import check_target
from .options import file_option
from .text import say

#: The prefix of the names of package and distribution.
PREFIX = "facematch"

#: A longer name would break the lines of the files.
LONGEST = 24

#: The template of a file bears its name and ends in ``.txt``, without a dot before it: an installer
#: would compile what ends in ``.py``.
TEMPLATES = Path(__file__).parent / "new_backend_template"

#: Files of a repository.
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


@click.command("new-backend")
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
    order. A folder that exists is never overwritten.
    """
    _check(name)
    folder = into / f"{PREFIX}-{name.replace('_', '-')}"
    if folder.exists() or folder.is_symlink():
        raise click.UsageError(
            f"{folder} exists: choose another name, or another place with --into; nothing was "
            "written."
        )
    check_target("--into", folder, force=False)
    files = files_for(name)
    with named(folder):
        # A folder that appeared since the check is not overwritten.
        folder.mkdir(parents=True)
        try:
            for path, text in files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
        except BaseException:
            # A partial repository is removed.
            shutil.rmtree(folder, ignore_errors=True)
            raise
    say(
        f"Wrote {len(files)} files to {folder}. Its vendor is invented; README.md says what to "
        "change, in order.",
    )
    say()
    say("Next:")
    # If the shell does not find `facematch`, it would find another Python, too.
    python = "python" if shutil.which("facematch") else sys.executable
    # Without a slash pip would take it for the name of a distribution.
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    for words in (
        [python, "-m", "pip", "install", "-e", f"{place}[dev]"],
        [python, "-m", "pytest", str(folder)],
    ):
        click.echo(f"  {typed(words)}")


def files_for(name: str) -> dict[str, str]:
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
        # Tested with this version only.
        "core": f"facematch-core>={'.'.join(__version__.split('.')[:2])}",
    }

    def fill(file: str) -> str:
        path = TEMPLATES / f"{file.rpartition('/')[2].removeprefix('.')}.txt"
        return Template(path.read_text(encoding="utf-8")).substitute(words)

    return {Template(file).substitute(words): fill(file) for file in FILES}


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
