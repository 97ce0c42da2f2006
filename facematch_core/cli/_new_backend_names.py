"""The name of a new backend: is it one, is it free, and in which forms does it stand in files."""

from __future__ import annotations

import importlib.util
import re

import attrs
import click

from facematch_core._points import OWN, RESERVED
from facematch_core._registry import available_backends

#: What goes before the name in those of package and distribution.
PREFIX = "facematch"

#: More would break the lines of the files.
LONGEST = 24

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


@attrs.frozen
class Names:
    """One name in all its forms.

    Attributes:
        name: Of the backend and its entry points: ``my_vendor``.
    """

    name: str

    @property
    def distribution(self) -> str:
        """What is installed, and the folder: ``facematch-my-vendor``."""
        return f"{PREFIX}-{self._hyphened}"

    @property
    def package(self) -> str:
        """What is imported: ``facematch_my_vendor``."""
        return f"{PREFIX}_{self.name}"

    @property
    def words(self) -> dict[str, str]:
        """What the templates call them."""
        parts = [part.capitalize() for part in self.name.split("_")]
        return {
            "name": self.name,
            "Name": "".join(parts),
            "NAME": self.name.upper(),
            "title": " ".join(parts),
            "package": self.package,
            "distribution": self.distribution,
            # Reserved for examples: it can never be found (RFC 2606).
            "host": f"api.{self._hyphened}.example",
        }

    @property
    def _hyphened(self) -> str:
        return self.name.replace("_", "-")


def names_for(typed: str) -> Names:
    """The forms of a name that is free.

    Raises:
        click.UsageError: it is no name, is reserved, or belongs to something that is installed.
    """
    if not _NAME.fullmatch(typed) or len(typed) > LONGEST:
        raise click.UsageError(
            f"NAME must be small letters, digits and hyphens, a letter first, at most {LONGEST} "
            f"characters, not {typed[:60]!r}{_meant(typed)}"
        )
    names = Names(typed.replace("-", "_"))
    if names.name.startswith(f"{PREFIX}_"):
        alone = names.distribution.removeprefix(f"{PREFIX}-{PREFIX}-")
        raise click.UsageError(f"NAME is the vendor's alone: {alone}, not {typed!r}.")
    taken = _taken(names)
    if taken is not None:
        raise click.UsageError(f"{taken} Choose another name, such as my-{typed}.")
    return names


def _meant(typed: str) -> str:
    near = re.sub(r"[^a-z0-9]+", "-", typed.lower()).lstrip("-0123456789")[:LONGEST].rstrip("-")
    return f"; did you mean {near}?" if near else "."


def _taken(names: Names) -> str | None:
    """Why the name is not free; None if it is."""
    if names.name in RESERVED:
        return f"The name {names.name} is reserved for {OWN}."
    for info in available_backends():
        if info.name.replace("-", "_") == names.name:
            return f"A backend {info.name} is installed already, by {info.distribution}."
    if importlib.util.find_spec(names.package) is not None:
        return f"A package {names.package} is installed already."
    return None
