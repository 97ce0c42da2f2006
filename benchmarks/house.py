"""Print how much code each room has, and how much one statement says.

Lines mean nothing here: a statement may be broken over as many lines as read well. Docstrings,
comments and blank lines are not counted, and an f-string is one token on every Python.

    .venv/bin/python benchmarks/house.py

After the tokens: nodes of expressions per statement; then, per 1,000 statements, `a, b = x, y`,
`x if c else y`, and/or, `*` in displays and calls, `:=` and `Any`. The last lines show the same of
packages that read well, measured with this program on 2026-11-28.
"""

import ast
import collections
import io
import re
import subprocess
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Git patterns of a room's files, and its tokens when they were last looked at.
ROOMS = {
    "core": (("facematch_core/*.py", ":!facematch_core/cli", ":!facematch_core/testing"), 72_300),
    "cli": (("facematch_core/cli/*.py",), 14_800),
    "kit": (("facematch_core/testing/*.py",), 28_300),
    "backends": (("backends/*.py",), 29_300),
    "mock": (("mock_server/*.py",), 106_300),
    "comparison": (("comparison/*.py",), 67_800),
    "benchmarks": (("benchmarks/*.py",), 23_200),
    "tests": (("tests/*.py",), 358_000),
}
COLUMNS = ("nodes", "pairs", "ternary", "and/or", "stars", "walrus", "Any")
#: The columns of packages that read well.
MODELS = {
    "httpx": (5.8, 1.7, 34.3, 52.7, 0.8, 0.0, 2.5),
    "anymail": (5.8, 0.0, 10.2, 36.2, 8.1, 0.0, 0.8),
    "attrs": (5.5, 2.0, 21.8, 63.5, 9.6, 0.0, 2.7),
    "sklearn.metrics": (7.0, 7.5, 16.6, 47.9, 5.5, 0.0, 0.0),
}
#: A longer statement is a table, such as a vendor's claims, and is left out.
TABLE_NODES = 150
LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
}


def list_files(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def is_text_alone(statement: ast.stmt) -> bool:
    """Return whether a statement is only a string, as a docstring is."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def count_tokens(source: str, tree: ast.AST) -> int:
    docstring_lines = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and is_text_alone(node):
            docstring_lines.update(range(node.lineno, node.end_lineno + 1))
    count = 0
    depth = 0  # of f-strings, which Python 3.12 and newer split into several tokens
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        is_code = token.type not in LAYOUT and token.start[0] not in docstring_lines
        if depth == 0 and is_code:
            count += 1
        if name.endswith("STRING_START"):
            depth += 1
        elif name.endswith("STRING_END"):
            depth -= 1
    return count


def count_nodes(statement: ast.stmt) -> int:
    """Count the nodes of a statement's expressions, without the statements inside it."""
    count = 0
    pending = list(ast.iter_child_nodes(statement))
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            continue
        if isinstance(node, (ast.expr, ast.comprehension, ast.keyword)):
            count += 1
        pending += ast.iter_child_nodes(node)
    return count


def measure(files: list[Path]) -> collections.Counter[str]:
    counts: collections.Counter[str] = collections.Counter()
    for file in files:
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
        counts["tokens"] += count_tokens(source, tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                counts["pairs"] += isinstance(node.targets[0], ast.Tuple)
            elif isinstance(node, ast.BoolOp):
                counts["and/or"] += len(node.values) - 1
            counts["ternary"] += isinstance(node, ast.IfExp)
            counts["stars"] += isinstance(node, ast.Starred)
            counts["walrus"] += isinstance(node, ast.NamedExpr)
            counts["Any"] += isinstance(node, ast.Name) and node.id == "Any"
            is_definition = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            is_import = isinstance(node, (ast.Import, ast.ImportFrom))
            if not isinstance(node, ast.stmt) or is_definition or is_import or is_text_alone(node):
                continue
            nodes = count_nodes(node)
            if nodes <= TABLE_NODES:
                counts["statements"] += 1
                counts["nodes"] += nodes
    return counts


def count_words() -> int:
    """Count the words of the pages in docs outside code blocks."""
    word_count = 0
    for file in list_files("docs/*.md"):
        text = re.sub(r"(?ms)^ *```.*?^ *```", "", file.read_text(encoding="utf-8"))
        word_count += len(text.split())
    return word_count


def count_commands() -> tuple[int, int]:
    """Count the commands of `facematch`, groups included, and their options."""
    import click

    from facematch_core.cli.app import facematch

    commands = 0
    options = 0
    groups: list[click.Group] = [facematch]
    while groups:
        group = groups.pop()
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            commands += 1
            for parameter in command.params:
                options += isinstance(parameter, click.Option) and not parameter.hidden
            if isinstance(command, click.Group):
                groups.append(command)
    return commands, options


def show(name: str, tokens: str, ceiling: str, figures: list[float]) -> None:
    print(f"{name:16}{tokens:>9}{ceiling:>9}" + "".join(f"{figure:8.1f}" for figure in figures))


def main() -> None:
    print(f"{'room':16}{'tokens':>9}{'last':>9}" + "".join(f"{name:>8}" for name in COLUMNS))
    for room, (patterns, last) in ROOMS.items():
        counts = measure(list_files(*patterns))
        statements = max(1, counts["statements"])
        figures = [counts["nodes"] / statements]
        figures += [1000 * counts[name] / statements for name in COLUMNS[1:]]
        show(room, f"{counts['tokens']:,}", f"{last:,}", figures)
    for name, figures in MODELS.items():
        show(name, "", "", list(figures))
    commands, options = count_commands()
    print(f"{count_words():,} words in the pages, {commands} commands, {options} options")


if __name__ == "__main__":
    main()
