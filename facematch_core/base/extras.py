"""Build the pip command that installs an optional extra."""

from __future__ import annotations

import importlib.metadata
import re

_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def install_command(extra: str) -> str:
    """Return the pip command that installs the packages of an extra.

    The command lists the packages: a copy that did not come from PyPI stays as it is.
    """
    try:
        requirements = importlib.metadata.requires("facematch-core") or []
    except importlib.metadata.PackageNotFoundError:  # a frozen program
        requirements = []
    packages = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        if extra in _EXTRA.findall(marker):
            packages.append(package.strip())
    if not packages:
        return f"install the packages of the extra {extra}"
    return "pip install " + " ".join(f'"{package}"' for package in packages)
