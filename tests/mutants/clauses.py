"""The clauses of the contract, and by which of them a mutant fails.

A clause is a statement that can fail a rule by itself: an `assert`, a raised `AssertionError`, or a
call of `same`. They are read from the source, so that none is listed anywhere.
"""

import ast
import contextlib
import functools
import importlib
import inspect
import pkgutil
import traceback
import types

import attrs

from facematch_core.testing import bench, contract
from facematch_core.testing.conformance import each_case
from facematch_core.testing.report import Status

#: Whose statements are clauses: the themes of the contract, and the bench that all of them use.
MODULES = {
    module.__file__: module
    for module in (
        bench,
        *(
            importlib.import_module(f"{contract.__name__}.{each.name}")
            for each in pkgutil.iter_modules(contract.__path__)
        ),
    )
}


@attrs.frozen
class Clause:
    """A statement of a module, in the function of this name, by its first and last line."""

    file: str
    function: str
    text: str
    first: int = attrs.field(eq=False)
    last: int = attrs.field(eq=False)

    def __str__(self):
        return f"{MODULES[self.file].__name__.rpartition('.')[2]}.{self.function}: {self.text}"


@functools.cache
def clauses(file):
    """Every clause of a module, in the order of its lines."""
    return tuple(Clause(file, *rest) for rest in _statements(_tree(file)))


def _tree(file):
    return ast.parse(inspect.getsource(MODULES[file]))


def _statements(node, function=""):
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
        if isinstance(child, ast.stmt) and _fails_by_itself(child) and function != "same":
            yield function, ast.unparse(child), child.lineno, child.end_lineno
        yield from _statements(child, f"{function}.{child.name}".strip(".") if named else function)


def _fails_by_itself(statement):
    match statement:
        case ast.Assert() | ast.Raise(exc=ast.Call(func=ast.Name("AssertionError"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name("same"))):
            return True
    return False


def clause_of(error):
    """By which clause an assertion failed; None where something else has raised it."""
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename in MODULES and frame.f_code.co_name != "same"
    ]
    if not frames or not isinstance(error, AssertionError):
        return None
    file, line = frames[-1]
    return next((each for each in clauses(file) if each.first <= line <= each.last), None)


def failures(mutant):
    """Each failed case of the mutant's rule, and the clause that it failed by."""
    errors = []
    reason = bench.Bench.reason

    def note(self, error):
        errors.append(error)
        return reason(self, error)

    bench.Bench.reason = note
    try:
        for case in each_case(mutant.make, rules=[mutant.rule]):
            if case.status is Status.FAILED:
                yield case, clause_of(errors[-1]) if errors else None
            errors.clear()
    finally:
        bench.Bench.reason = reason


@contextlib.contextmanager
def without_clause(clause):
    """The contract meanwhile, as if that clause was not in it."""
    tree = _tree(clause.file)

    class Drop(ast.NodeTransformer):
        def generic_visit(self, node):
            if isinstance(node, ast.stmt) and (node.lineno, node.end_lineno) == (
                clause.first,
                clause.last,
            ):
                return ast.copy_location(ast.Pass(), node)
            return super().generic_visit(node)

    with replaced(clause.file, ast.fix_missing_locations(Drop().visit(tree)), clause.function):
        yield


@contextlib.contextmanager
def replaced(file, tree, name):
    """The function of this name meanwhile as it is in another syntax tree of its module."""
    code = compile(tree, file, "exec")
    where, parts = MODULES[file], []
    for part in name.split("."):
        where, parts = inspect.unwrap(getattr(where, part)), [*parts, part]
        code = next(
            const
            for const in code.co_consts
            if isinstance(const, types.CodeType) and const.co_name == part
        )
        if inspect.isfunction(where):
            break
    before, where.__code__ = where.__code__, code
    try:
        yield
    finally:
        where.__code__ = before
