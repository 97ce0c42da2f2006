"""Changes one place of the packages at a time, and lists the tests that fail: `make test-slips`.

The changes are slips of the kind that people make: `<` for `<=`, `and` for `or`, a number that is
one too large, another word in a table. A third of them is in functions, a third in classes, a third
at the top of a module. They are made in a copy of the repository.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs
from kit.repository import tracked_files

ROOT = Path(__file__).parents[2]
PACKAGES = ("facematch_core", "backends", "comparison", "mock_server")
LEVELS = ("module", "class", "function")
OTHER_OPERATOR = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
#: A word of a table, such as a status or a key, and no sentence.
WORD = re.compile(r"[\w./-]+")
#: Of one run of the tests. A slip may let a program wait for ever.
MAX_RUN_S = 1500
NO_END = "the tests do not end"
NO_START = "the tests do not start"
NO_RUN = {NO_END, NO_START}


@attrs.frozen(kw_only=True)
class Slip:
    """One changed place.

    Attributes:
        level: ``module``, ``class`` or ``function``: where the place is.
        line: Its line, from 1.
        before, after: The expression in the line.
        text: The file with the change.
    """

    level: str
    line: int
    before: str
    after: str
    text: str


def slips_in(text):
    """Yield each slip that is possible in a module's source."""
    yield from _slips_below(ast.parse(text), "module", text)


def _slips_below(node, level, text):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        level = "function"
    if isinstance(node, ast.ClassDef):
        level = "class"
    for name, value in ast.iter_fields(node):
        # A type is for mypy; a text with values has other positions before Python 3.12.
        if name in ("annotation", "returns", "type_params") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            # A text that stands for itself documents what it stands in.
            if isinstance(child, ast.AST) and not _is_text(node, child):
                yield from _slips_of(child, level, text)
                yield from _slips_below(child, level, text)


def _is_text(node, child):
    return isinstance(node, ast.Expr) and isinstance(child, ast.Constant)


def _slips_of(node, level, text):
    after = _changed(node, level)
    if after is None or node.lineno != node.end_lineno:
        return
    lines = text.splitlines(keepends=True)
    line = lines[node.lineno - 1].encode()
    before = line[node.col_offset : node.end_col_offset]
    changed = line[: node.col_offset] + after.encode() + line[node.end_col_offset :]
    lines[node.lineno - 1] = changed.decode()
    yield Slip(
        level=level, line=node.lineno, before=before.decode(), after=after, text="".join(lines)
    )


def _changed(node, level):
    """Return another expression in place of this one, or None."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        operator = OTHER_OPERATOR[type(node.ops[0])]()
        return ast.unparse(ast.Compare(node.left, [operator], node.comparators))
    if isinstance(node, ast.BoolOp):
        return f"({ast.unparse(ast.BoolOp(OTHER_OPERATOR[type(node.op)](), node.values))})"
    if not isinstance(node, ast.Constant):
        return None
    if isinstance(node.value, bool):
        return str(not node.value)
    if isinstance(node.value, int | float):
        return repr(node.value + 1)
    if isinstance(node.value, str) and level != "function" and WORD.fullmatch(node.value):
        return repr(f"{node.value}-slip")
    return None


def draw(files, count, chance):
    """Return as many slips of each level, each with its file, from the files' texts by path."""
    found = {level: [] for level in LEVELS}
    for path, text in files.items():
        for slip in slips_in(text):
            found[slip.level].append((path, slip))
    drawn = []
    for number in range(count):
        slips = found[LEVELS[number % len(LEVELS)]]
        if slips:
            drawn.append(slips.pop(chance.randrange(len(slips))))
    return drawn


def failing_tests(folder, path, slip, options):
    """Return the tests that fail with a slip in a copy of the repository, which is undone."""
    file = folder / path
    before = file.read_text(encoding="utf-8")
    file.write_text(slip.text, encoding="utf-8")
    try:
        return run_tests(folder, options)
    finally:
        file.write_text(before, encoding="utf-8")


def run_tests(folder, options):
    """Return the tests that fail in a copy of the repository."""
    places = [str(folder), *(str(folder / name) for name in PACKAGES[1:])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "--no-header", *options]
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MAX_RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [NO_END]
    failed = re.findall(r"(?m)^(?:FAILED|ERROR) (\S+)", run.stdout)
    return failed if failed or run.returncode == 0 else [NO_START]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    own, options = parser.parse_known_args()
    options = options or ["-n", "auto", "-m", "not slow and not long and not system and not docs"]
    sources = [path for path in tracked_files(*PACKAGES) if path.endswith(".py")]
    files = {path: (ROOT / path).read_text(encoding="utf-8") for path in sources}
    print(f"{own.count} slips, seed {own.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in tracked_files():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
        # Such as those that ask git for the files: the copy has no history.
        failing_before = {*run_tests(folder, options)}
        if failing_before & NO_RUN:
            sys.exit(f"Without a slip: {', '.join(failing_before)}.")
        for path, slip in draw(files, own.count, random.Random(own.seed)):
            failing = failing_tests(folder, path, slip, options)
            failed = [test for test in failing if test not in failing_before]
            print(f"\n{path}:{slip.line} ({slip.level}): {slip.before} -> {slip.after}")
            print(f"  {len(failed) or 'NO'} tests fail")
            for test in failed[:40]:
                print(f"  {test}", flush=True)


if __name__ == "__main__":
    main()
