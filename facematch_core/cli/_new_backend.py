"""What `new-backend` does: check the name, write the files, say what comes next."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from ._files import check_target, named
from ._new_backend_files import files_for
from ._new_backend_names import names_for
from ._text import clean


def run(typed: str, into: Path) -> None:
    """Write the repository and say what to do with it.

    Args:
        typed: The name, as it was typed.
        into: The folder that the repository's own is written into; it is made if it is missing.

    Raises:
        click.UsageError: the name is not free or is none, or the folder exists or cannot be made.
        OSError: writing failed half way, and nothing is left of it.
    """
    names = names_for(typed)
    folder = into / names.distribution
    if folder.exists() or folder.is_symlink():
        raise click.UsageError(
            f"{folder} exists: choose another name, or another place with --into; nothing was "
            "written."
        )
    check_target("--into", folder, force=False)
    files = files_for(names)
    _write(folder, files)
    click.echo(
        clean(
            f"{folder} is written: {len(files)} files. Its vendor is invented; README.md says what "
            "to change, in order.\n\nNext:"
        )
    )
    for words in _next(folder, names.name):
        click.echo(f"  {clean(shlex.join(words))}")


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files beside their place, and move them there."""
    with named(folder):
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


def _next(folder: Path, name: str) -> tuple[list[str], ...]:
    """Three commands: install it beside this facematch, run its tests, see its card."""
    # Where the shell does not find us by name, it would find another Python, too.
    ours = ("python", "facematch")
    python, facematch = ours if shutil.which("facematch") else (sys.executable, sys.argv[0])
    # Without a slash pip would take it for the name of a distribution.
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    return (
        [python, "-m", "pip", "install", "-e", f"{place}[testing]"],
        [python, "-m", "pytest", str(folder)],
        [facematch, "conformance", name],
    )
