"""The clauses of the contract, and by which of them a mutant fails.

A clause is a statement that can fail a rule by itself: an `assert`, a raised `AssertionError`, or a
call of `same`. They are read from the source, so that none is listed anywhere.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import traceback

import attrs
from kit.contract import Status, run

from facematch_core.testing import bench, contract

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
    tree = ast.parse(inspect.getsource(MODULES[file]))
    return tuple(Clause(file, *rest) for rest in _statements(tree))


def _statements(node, function=""):
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
        if isinstance(child, ast.stmt) and _fails_by_itself(child) and function != "same":
            yield function, ast.unparse(child), child.lineno, child.end_lineno
        yield from _statements(child, f"{function}.{child.name}".strip(".") if named else function)


def _fails_by_itself(statement):
    match statement:
        case (
            ast.Assert()
            | ast.Raise(exc=ast.Call(func=ast.Name("AssertionError" | "SimulatorMistake")))
        ):
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
    if not frames or not isinstance(error, (AssertionError, bench.SimulatorMistake)):
        return None
    file, line = frames[-1]
    return next((each for each in clauses(file) if each.first <= line <= each.last), None)


def failed_clauses(mutant, **fixtures):
    """Each failed case of the mutant's rule, and the clause that it failed by."""
    errors = []
    reason = bench.Bench.reason

    def note(self, error):
        errors.append(error)
        return reason(self, error)

    bench.Bench.reason = note
    try:
        for case in run(mutant.make, {mutant.rule}, **fixtures):
            if case.status is Status.FAILED:
                yield case, clause_of(errors[-1]) if errors else None
            errors.clear()
    finally:
        bench.Bench.reason = reason
