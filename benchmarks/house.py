"""Print the size of the project: lines per room, words of the pages, commands and options.

Exits with 1 if a room is more than 3 % above its last number. After a change that removes lines,
lower the number in `LEDGER`, rounded up to the next ten.

    .venv/bin/python benchmarks/house.py
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SLACK = 1.03

#: Git patterns of the files and last number of lines, by room.
LEDGER = {
    "core": (
        (
            "facematch_core/*.py",
            *(f":!facematch_core/{room}" for room in ("cli", "testing", "resilience", "store")),
        ),
        11_800,
    ),
    "cli": (("facematch_core/cli/*.py",), 2_300),
    "resilience and store": (
        ("facematch_core/resilience/*.py", "facematch_core/store/*.py"),
        2_150,
    ),
    "testing": (("facematch_core/testing/*.py",), 3_600),
    "backends": (("backends/*.py",), 5_580),
    "of which Didit": (("backends/facematch_didit/*.py",), 2_170),
    "of which local": (("backends/facematch_local/*.py",), 950),
    "mock": (("mock_server/*.py",), 15_000),
    "comparison": (("comparison/*.py",), 10_000),
    "product": (
        ("facematch_core/*.py", "backends/*.py", "mock_server/*.py", "comparison/*.py"),
        50_410,
    ),
    "tests": (("tests/*.py",), 44_990),
    "benchmarks": (("benchmarks/*.py",), 3_430),
    "docs/examples": (("docs/examples/*",), 1_510),
    "other endings of the product": (
        tuple(
            f"{room}/*.{ending}"
            for room in ("facematch_core", "backends", "mock_server", "comparison")
            for ending in ("toml", "json", "csv", "mjs", "js", "css", "html")
        ),
        1_420,
    ),
}
WORDS, COMMANDS, OPTIONS = 36_000, 16, 142


def list_files(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def count_lines(*patterns: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in list_files(*patterns))


def count_words() -> int:
    """Count the words of all pages outside code blocks."""
    texts = (path.read_text(encoding="utf-8") for path in list_files("*.md", ":!tests"))
    return sum(len(re.sub(r"(?ms)^ *```.*?^ *```", "", text).split()) for text in texts)


def count_commands() -> tuple[int, int]:
    """Count the commands of `facematch` and their options."""
    import click

    from facematch_core.cli.app import facematch

    commands = options = 0
    groups: list[click.Group] = [facematch]
    while groups:
        group = groups.pop()
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            options += sum(isinstance(p, click.Option) and not p.hidden for p in command.params)
            if isinstance(command, click.Group):
                groups.append(command)
            else:
                commands += 1
    return commands, options


def main() -> int:
    commands, options = count_commands()
    rows = [(room, count_lines(*patterns), last) for room, (patterns, last) in LEDGER.items()]
    rows += [
        ("words of the pages", count_words(), WORDS),
        ("commands", commands, COMMANDS),
        ("options", options, OPTIONS),
    ]
    print(f"{'room':30}{'now':>8}{'last':>8}")
    above = [room for room, now, last in rows if now > last * SLACK]
    for room, now, last in rows:
        print(f"{room:30}{now:8,}{last:8,}{'  more than 3 % above' if room in above else ''}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
