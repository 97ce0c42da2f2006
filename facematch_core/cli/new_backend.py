"""`facematch new-backend`: create a plug-in repository to start from."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from string import Template

import click

from facematch_core import __version__
from facematch_core.backend.kinds import quote_command
from facematch_core.base.files import os_errors_naming

from .text import say

#: Prefix of the package name and the distribution name.
PREFIX = "facematch"
#: Maximum length of a name. A longer name would make lines in the templates too long.
LONGEST = 24
#: Folder of the templates, whose names end in ``.txt`` because installers compile ``.py`` files.
TEMPLATES = Path(__file__).parent / "new_backend_template"

#: Paths of the files in a new repository.
FILES = [
    ".github/workflows/test.yml",
    ".gitignore",
    "CHANGELOG.md",
    "README.md",
    "pyproject.toml",
    "src/$package/__init__.py",
    "src/$package/_backend.py",
    "src/$package/_simulator.py",
    "src/$package/py.typed",
    "tests/test_backend.py",
    "tests/test_contract.py",
    "tests/test_package.py",
]


#: Further files by the kind of vendor. A template in the folder of a kind replaces the common one.
FILES_OF_KIND = {
    "pair": ["src/$package/_mock.py", "tests/test_mock.py"],
    "session": ["src/$package/_mock.py"],
}
_MOCK_ENTRY_POINT = """
[project.entry-points."facematch.mock_vendors"]
$name = "$package._mock:VENDOR"
"""
_MOCK_LINT = """
[tool.ruff.lint.per-file-ignores]
# A claim stays in its line, however long its sentence is.
"src/*/_mock.py" = ["E501"]
"""
_MOCK_STEP = """\
5. **The mock**, `_mock.py`, from the same documents; `tests/test_mock.py` runs the contract on it.
   `facematch mock --vendor $name` serves it to programs in any language.
"""


@click.command("new-backend")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(FILES_OF_KIND)),
    help="Also write a vendor for the mock: `pair` compares two pictures in a call, `session` "
    "verifies a person on the vendor's page. Without it: a pair, and no mock.",
)
def command(name: str, kind: str | None) -> None:
    """Create the repository facematch-NAME: a small, complete plug-in that passes its tests.

    NAME is the name that opens your backend: lower-case letters, digits and hyphens.

    \b
    facematch new-backend my-vendor --kind pair

    The repository is made in the current folder; an existing one is never overwritten. The plug-in
    is for a fictitious vendor with an HTTP API. README.md lists the changes to make, in order.
    """
    _check(name)
    folder = Path(f"{PREFIX}-{name.replace('_', '-')}")
    if folder.exists() or folder.is_symlink():
        raise click.UsageError(f"{folder} exists: choose another name.")
    files = files_for(name, kind)
    with os_errors_naming(folder):
        folder.mkdir()  # fails if the folder was created since the check
        try:
            for path, text in files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
        except BaseException:
            # Remove the partial repository.
            shutil.rmtree(folder, ignore_errors=True)
            raise
    say(
        f"Wrote {len(files)} files to {folder}. Its vendor is fictitious: README.md lists the "
        "changes to make."
    )
    click.echo("\nNext:")
    # If `facematch` is not on the PATH, `python` may be a different Python.
    python = "python" if shutil.which("facematch") else sys.executable
    # Without a slash, pip would treat the path as the name of a distribution.
    click.echo(f"  {quote_command([python, '-m', 'pip', 'install', '-e', f'./{folder}[dev]'])}")
    click.echo(f"  {quote_command([python, '-m', 'pytest', str(folder)])}")


def files_for(name: str, kind: str | None = None) -> dict[str, str]:
    """Return the text of each file, keyed by its path in the repository (with slashes).

    `kind` is among `FILES_OF_KIND`, or None for a pair without a mock.
    """
    module = name.replace("-", "_")
    hyphened = name.replace("_", "-")
    parts = module.title().split("_")
    minor_version = ".".join(__version__.split(".")[:2])
    substitutes = {
        "name": name,
        "Name": "".join(parts),
        "NAME": module.upper(),
        "title": " ".join(parts),
        "package": f"{PREFIX}_{module}",
        "distribution": f"{PREFIX}-{hyphened}",
        # A domain that is reserved for examples and never resolves (RFC 2606).
        "host": f"api.{hyphened}.example",
        # Tested with this version only.
        "core": f"facematch-core>={minor_version}",
    }
    for placeholder, template_text in {
        "mock_entry_point": _MOCK_ENTRY_POINT,
        "mock_lint": _MOCK_LINT,
        "mock_step": _MOCK_STEP,
    }.items():
        text = "" if kind is None else Template(template_text).substitute(substitutes)
        substitutes[placeholder] = text
    # Our own, so that the wheel has it once.
    licence = metadata.distribution("facematch-core").read_text("licenses/LICENSE")
    texts = {"LICENSE": licence or ""}
    for file in FILES + FILES_OF_KIND.get(kind or "", []):
        template_path = _find_template(file, kind)
        text = Template(template_path.read_text(encoding="utf-8")).substitute(substitutes)
        texts[Template(file).substitute(substitutes)] = text
    return texts


def _find_template(file: str, kind: str | None) -> Path:
    """Return the path of a file's template: that of the kind, or the common one."""
    name = f"{Path(file).name.removeprefix('.')}.txt"
    own = TEMPLATES / (kind or "") / name
    return own if own.exists() else TEMPLATES / name


def _check(typed: str) -> None:
    """Raise if the name is invalid for a backend, or already used by one."""
    from facematch_core.config.plugins import available_backends

    name = typed.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", typed) or len(typed) > LONGEST:
        raise click.UsageError(
            "NAME must be lower-case letters, digits and hyphens, a letter first, at most "
            f"{LONGEST} characters, not {typed[:60]!r}."
        )
    if name.startswith(f"{PREFIX}_"):
        raise click.UsageError(f"NAME must not start with {PREFIX}-: pass only the vendor's name.")
    taken = {info.name.replace("-", "_") for info in available_backends()}
    if name in taken or importlib.util.find_spec(f"{PREFIX}_{name}") is not None:
        raise click.UsageError(
            f"A backend {typed} is already installed. Choose another name, such as my-{typed}."
        )
