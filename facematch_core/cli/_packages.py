"""The optional parts of this distribution: which are installed, as their metadata tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import attrs

from facematch_core._registry import OWN

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")

#: Distributions that bring the same module. One of the two is enough, and both at once break it.
TWINS = {"dlib-bin": "dlib"}


@attrs.frozen(kw_only=True)
class Extra:
    """One optional part.

    Attributes:
        name: What stands in the brackets.
        packages: Its distributions and their versions; None for one that is missing.
    """

    name: str
    packages: dict[str, str | None]

    @property
    def missing(self) -> list[str]:
        """The distributions that are not installed."""
        return [name for name, found in self.packages.items() if found is None]

    @property
    def install(self) -> str:
        """The line that installs it."""
        return f'pip install "{OWN}[{self.name}]"'

    def row(self) -> tuple[str, str, str]:
        """For a table."""
        parts = [f"{name} {found or 'missing'}" for name, found in self.packages.items()]
        return self.name, "missing" if self.missing else "present", ", ".join(parts)

    def as_document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name,
            "present": not self.missing,
            "packages": self.packages,
            "install": self.install,
        }


def extras() -> tuple[Extra, ...]:
    """The extras of this distribution; () if it runs without being installed."""
    found: dict[str, dict[str, str | None]] = {}
    for requirement in _requirements():
        name, extra = _NAME.match(requirement), _EXTRA.search(requirement)
        # `all` names what the others name.
        if name and extra and extra[1] != "all":
            found.setdefault(extra[1], {})[name[0]] = _found(name[0])
    return tuple(Extra(name=name, packages=packages) for name, packages in found.items())


def warnings() -> Iterator[str]:
    """What is installed and should not be."""
    for name, twin in TWINS.items():
        if installed(name) and installed(twin):
            yield (
                f"{twin} and {name} are both installed and bring the same module, never both: "
                f"pip uninstall {twin} {name}, then install one of them again."
            )


def installed(name: str) -> str | None:
    """The version of a distribution; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _found(name: str) -> str | None:
    own = installed(name)
    if own is None and name in TWINS and (other := installed(TWINS[name])):
        return f"({TWINS[name]} {other} instead)"
    return own


def _requirements() -> list[str]:
    try:
        return requires(OWN) or []
    except PackageNotFoundError:
        return []
