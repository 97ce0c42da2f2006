"""List the functions above eight lines that have no docstring.

`python tests/kit/stated.py FOLDER...` is part of `make lint`. A function's lines are those of its
body without the docstring. Exit status 1 if any is listed.
"""

import ast
import sys
from pathlib import Path

MOST_LINES = 8


def unstated(file):
    """Yield the line and the name of each function of a module that states no contract."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = node.body[-1].end_lineno - node.body[0].lineno + 1
        if lines > MOST_LINES and ast.get_docstring(node) is None:
            yield node.lineno, node.name


def main(folders):
    """Print the functions of all modules in these folders; return the exit status."""
    found = [
        f"{file}:{line}: {name} has more than {MOST_LINES} lines, and no docstring"
        for folder in folders
        for file in sorted(Path(folder).rglob("*.py"))
        for line, name in unstated(file)
    ]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
