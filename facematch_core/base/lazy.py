"""Import the public names of a package on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`; `modules` maps modules to public names."""
    homes = {name: module for module, names in modules.items() for name in names.split()}
    space = vars(sys.modules[package])

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Caching it in the package also hides a submodule of the same name.
        space[name] = getattr(import_module(f"{package}.{homes[name]}"), name)
        return space[name]

    return find, lambda: sorted({*space, *space["__all__"]})
