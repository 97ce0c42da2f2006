"""`facematch new-backend`: a plug-in repository to begin with."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template

import attrs
import click

from facematch_core import __version__
from facematch_core.files import named
from facematch_core.kinds import typed

from . import common
from .common import say

#: What goes before the name in those of package and distribution.
PREFIX = "facematch"

#: More would break the lines of the files.
LONGEST = 24

TEMPLATES = Path(__file__).parent / "new_backend_template"


@attrs.frozen(kw_only=True)
class Kind:
    """What a backend is made on."""

    says: str
    files: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    invented: str = "vendor"


KINDS: dict[str, Kind] = {
    "http": Kind(says="a vendor with an HTTP API"),
    "sdk": Kind(
        says="a vendor that you can only reach through its client library",
        files=("src/$package/_client.py",),
        dependencies=("requests>=2.32",),
        tools=("types-requests",),
    ),
    "engine": Kind(
        says="an engine on this machine", dependencies=("pillow>=11",), invented="engine"
    ),
}

#: What every repository has. The template of a file bears its name and ends in ``.txt``, without a
#: dot before it: an installer would compile what ends in ``.py``. It lies in the folder of the
#: kind or in ``common``; of a file with a template in both, the one in ``common`` comes first.
FILES: tuple[str, ...] = (
    ".github/workflows/test.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "src/$package/__init__.py",
    "src/$package/_backend.py",
    "src/$package/_simulator.py",
    "src/$package/py.typed",
    "tests/test_backend.py",
    "tests/test_contract.py",
)


@click.command(
    "new-backend",
    short_help="Write a small, complete plug-in repository that passes its own tests.",
)
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="http",
    show_default=True,
    help="; ".join(f"{name}: {kind.says}" for name, kind in KINDS.items()) + ".",
)
@common.file_option(
    "--into",
    "The folder to write it into; the current one by default.",
    metavar="DIR",
    default=Path(),
)
def command(name: str, kind: str, into: Path) -> None:
    """Write a small, complete plug-in repository, facematch-NAME, that passes its own tests.

    NAME is the name that opens your backend: small letters, digits and hyphens.

    \b
    facematch new-backend my-vendor
    facematch new-backend my-engine --kind engine --into ~/src

    Its vendor is invented: README.md says what to change, in order. A folder that exists is never
    overwritten.
    """
    _check(name)
    folder = into / f"{PREFIX}-{name.replace('_', '-')}"
    if folder.exists() or folder.is_symlink():
        raise click.UsageError(
            f"{folder} exists: choose another name, or another place with --into; nothing was "
            "written."
        )
    common.check_target("--into", folder, force=False)
    files = files_for(name, kind)
    _write(folder, files)
    say(
        f"Wrote {len(files)} files to {folder}. Its {KINDS[kind].invented} is invented; README.md "
        "says what to change, in order.",
    )
    say()
    say("Next:")
    # Where the shell does not find us by name, it would find another Python, too.
    found = shutil.which("facematch")
    python, facematch = ("python", "facematch") if found else (sys.executable, sys.argv[0])
    # Without a slash pip would take it for the name of a distribution.
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    for words in (
        [python, "-m", "pip", "install", "-e", f"{place}[dev]"],
        [python, "-m", "pytest", str(folder)],
        [facematch, "conformance", name],
    ):
        click.echo(f"  {typed(words)}")


def files_for(name: str, kind: str = "http") -> dict[str, str]:
    """Path in the repository, with slashes, to text."""
    module = name.replace("-", "_")
    hyphened = name.replace("_", "-")
    parts = [part.capitalize() for part in module.split("_")]
    made = KINDS[kind]
    # What it is made by is what it has been tried with.
    core = f"facematch-core>={'.'.join(__version__.split('.')[:2])}"
    words = {
        "name": name,
        "Name": "".join(parts),
        "NAME": module.upper(),
        "title": " ".join(parts),
        "package": f"{PREFIX}_{module}",
        "distribution": f"{PREFIX}-{hyphened}",
        # Reserved for examples: it can never be found (RFC 2606).
        "host": f"api.{hyphened}.example",
        "dependencies": _quoted("attrs>=24.2", core, *made.dependencies),
        "tools": _quoted("mypy>=1.13", "ruff>=0.8", *made.tools),
    }
    return {
        Template(file).substitute(words): Template(_template(file, kind)).substitute(words)
        for file in (*FILES, *made.files)
    }


def _quoted(*words: str) -> str:
    """The items of a list of TOML."""
    return ", ".join(f'"{word}"' for word in sorted(words))


def _template(file: str, kind: str) -> str:
    name = f"{file.rpartition('/')[2].removeprefix('.')}.txt"
    found = [TEMPLATES / folder / name for folder in ("common", kind)]
    return "".join(path.read_text(encoding="utf-8") for path in found if path.exists())


def _check(typed: str) -> None:
    """Refuse what cannot be the name of a backend."""
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
    problem = _taken(name)
    if problem is not None:
        raise click.UsageError(f"{problem} Choose another name, such as my-{typed}.")


def _taken(name: str) -> str | None:
    """Why a name, written with underscores, is not free; None if it is."""
    from facematch_core.plugins import available_backends

    for info in available_backends():
        if info.name.replace("-", "_") == name:
            return f"A backend {info.name} is installed already, by {info.distribution}."
    if importlib.util.find_spec(f"{PREFIX}_{name}") is not None:
        return f"A package {PREFIX}_{name} is installed already."
    return None


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files beside their place, and move them there: half a repository is none."""
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
