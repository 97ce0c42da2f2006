"""All mutants of a file: each is the file with one small fault."""

import ast
import collections
import importlib
import zlib
from pathlib import Path

import attrs
from mutation.changes import GONE, changes

#: What a program does not do: read by people and type checkers, or no code of the file.
UNREAD = {"annotation", "returns", "decorator_list", "type_params"}
UNREAD_KINDS = ast.JoinedStr | ast.Import | ast.ImportFrom


@attrs.frozen
class Mutant:
    """One fault.

    Attributes:
        function: Where it is.
        line: The line of code that has it.
        change: What is written there instead.
        kind: One of `KINDS`.
        source: The whole file with it.
    """

    function: str
    line: str
    change: str
    kind: str = attrs.field(eq=False)
    source: str = attrs.field(repr=False, eq=False)


def mutants(module, unread=(), only=("",), most=None):
    """All mutants of a module, in the order of its lines.

    Args:
        module: Its dotted name.
        unread: Names of the module that only type checkers read.
        only: What the names of the functions begin with that have mutants.
        most: How many of them, drawn by a number that each one has; None for all.
    """
    loaded = importlib.import_module(module)
    text = Path(loaded.__file__).read_text()
    tree, lines = ast.parse(text), text.splitlines()
    # Written once: a change is in one of them, and writing a file takes most of the time.
    statements = [ast.unparse(one) for one in tree.body]
    told, seen = collections.Counter(), {"\n".join(statements)}
    found, top = [], 0
    for node, parent, field, function in _places(tree, unread):
        if parent is tree:
            top = next(at for at, one in enumerate(tree.body) if one is node)
        if not function.startswith(only):
            continue
        for kind, new in changes(node, parent, field, vars(loaded)):
            source = _changed(tree, parent, field, node, new, statements=statements, top=top)
            if source in seen:
                continue
            seen.add(source)
            line = lines[_anchor(node, parent).lineno - 1].strip()
            after = "(removed)" if new is GONE else ast.unparse(new)
            change = f"{ast.unparse(node)} -> {after}"
            told[function, line, change] += 1
            if told[function, line, change] > 1:
                change += f" (place {told[function, line, change]})"
            found.append(Mutant(function, line, change, kind, source))
    return found if most is None else sorted(sorted(found, key=_chance)[:most], key=found.index)


def _chance(mutant):
    """The same number each time: a change of the code leaves most of a sample as it was."""
    return zlib.crc32(f"{mutant.function} {mutant.line} {mutant.change}".encode())


def planted(module):
    """The module with a fault that no test can miss: its first function fails."""
    tree = ast.parse(Path(importlib.import_module(module).__file__).read_text())
    first = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    first.body = ast.parse("raise AssertionError('planted')").body
    return ast.unparse(tree)


def _places(node, unread, function=""):
    """Every node that runs, with its parent, the field it is in and the function around it."""
    for field, value in ast.iter_fields(node):
        if field in UNREAD:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, UNREAD_KINDS):
                continue
            if _named(child) & set(unread) or _is_docstring(child):
                continue
            inside = function
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = f"{function}.{child.name}".lstrip(".")
            yield child, node, field, inside or "(module)"
            yield from _places(child, unread, inside)


def _named(node):
    targets = node.targets if isinstance(node, ast.Assign) else ()
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _anchor(node, parent):
    return node if hasattr(node, "lineno") else parent


def _changed(tree, parent, field, node, new, *, statements, top):
    """The source of `tree` with `new` instead of `node`, which is in the statement at `top`.

    The tree is as before afterwards.
    """
    old = getattr(parent, field)
    if isinstance(old, list):
        at = next(index for index, one in enumerate(old) if one is node)
        put = [*old[:at], *([] if new is GONE else [new]), *old[at + 1 :]]
    else:
        put = new
    setattr(parent, field, put)
    try:
        if parent is tree:
            return ast.unparse(tree)
        return "\n".join([*statements[:top], ast.unparse(tree.body[top]), *statements[top + 1 :]])
    finally:
        setattr(parent, field, old)
