"""What a plug-in may import: the modules that the reference lists, and their `__all__`."""

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

from facematch_mock_server.vendors import kit

DOCS = Path(__file__).parents[2] / "docs"
#: The modules in the kit of a vendor's mock, whose public names the reference lists.
MODULES_OF_KIT = {name for name in kit.__all__ if isinstance(getattr(kit, name), ModuleType)}


def public_modules():
    """Return the names of the modules that the reference lists."""
    page = (DOCS / "reference/backend.md").read_text()
    return set(re.findall(r"(?m)^\| \[?`(facematch_[\w.]+)`", page))


def is_public(module, name):
    """Return whether the reference lists the module, and the module exports the name."""
    if module not in public_modules():
        return False
    exported = getattr(importlib.import_module(module), "__all__", None)
    return not name.startswith("_") if exported is None else name in exported


def imported_names(tree):
    """Yield the module, the name (empty for a module) and the alias of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for each in node.names:
                yield node.module, each.name, each.asname or each.name
        elif isinstance(node, ast.Import):
            for each in node.names:
                yield each.name, "", each.asname or each.name


def private_names(source, *, own="nothing"):
    """Return what a program imports of facematch that is not public; `own` is its package."""
    tree = ast.parse(source)
    private = []
    modules = {}
    for module, name, alias in imported_names(tree):
        top = module.partition(".")[0]
        if not top.startswith("facematch_") or top == own:
            continue
        if not (is_public(module, name) if name else module in public_modules()):
            private.append(f"{module} {name}".rstrip())
        if module == kit.__name__ and name in MODULES_OF_KIT:
            modules[alias] = name
    reference = (DOCS / "reference/testing.md").read_text()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module is not None and not re.search(rf"\b{module}\.{node.attr}\b", reference):
                private.append(f"{module}.{node.attr}")
    return private
