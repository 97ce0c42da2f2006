"""Import the public names of a package on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`.

    `modules` maps a module's name to its public names, separated by spaces.
    """
    module_of_name = {name: module for module, names in modules.items() for name in names.split()}
    namespace = vars(sys.modules[package])

    def find(name: str) -> Any:
        if name not in module_of_name:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{module_of_name[name]}")
        # Caching it in the package also hides a submodule of the same name.
        namespace[name] = getattr(module, name)
        return namespace[name]

    def list_names() -> list[str]:
        return sorted({*namespace, *namespace["__all__"]})

    return find, list_names
