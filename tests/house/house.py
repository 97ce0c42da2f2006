"""Counts the house, room by room, against the budget in `budget.toml`; run by `make lint`.

A change that needs more raises its line there by hand, and says in its commit what for. With
``--write`` every line becomes what the house has now.
"""

import ast
import collections
import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
BUDGET = Path(__file__).with_name("budget.toml")

#: The rooms, by what git keeps: a path is of the first one that it matches.
ROOMS = {
    "templates and examples": ("facematch_core/cli/new_backend_template/*", "docs/examples/*"),
    "cli": ("facematch_core/cli/*",),
    "testing": ("facematch_core/testing/*",),
    "resilience and store": ("facematch_core/resilience/*", "facematch_core/store/*"),
    "core": ("facematch_core/*",),
    "didit": ("backends/facematch_didit/*",),
    "backends": ("backends/*",),
    "mock": ("mock_server/*",),
    "comparison": ("comparison/*",),
    "tests": ("tests/*",),
}
NO_PRODUCT = {"templates and examples", "tests"}
#: What is counted beside Python, so that nothing moves into another ending.
OTHER_ENDINGS = {".toml", ".tsv", ".txt", ".csv", ".mjs", ".js", ".css", ".html"}


def room_of(path):
    return next(
        (
            room
            for room, patterns in ROOMS.items()
            if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
        ),
        None,
    )


def count_lines(root, paths):
    """Lines by room: of Python, of the other endings, and of a whole template or example."""
    lines = collections.Counter({f"{room}: lines of .py": 0 for room in ROOMS})
    for path in paths:
        room, ending = room_of(path), Path(path).suffix
        if room is None or not (root / path).is_file():
            continue
        is_whole = room == "templates and examples"
        if not is_whole and ending != ".py" and ending not in OTHER_ENDINGS:
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        number = text.count("\n")
        kind = "of .py" if ending == ".py" and not is_whole else "of other endings"
        lines[f"{room}: lines {'' if is_whole else kind}".rstrip()] += number
        if ending == ".py" and room not in NO_PRODUCT:
            lines["product: lines of .py"] += number
            lines["product: files of .py"] += 1
    del lines["templates and examples: lines of .py"]
    return dict(lines)


def count_words(root, paths):
    """The words of all pages outside of blocks of code."""
    texts = (
        (root / path).read_text(encoding="utf-8")
        for path in paths
        if path.endswith(".md") and not path.startswith("tests/")
    )
    return sum(len(re.sub(r"(?ms)^ *```.*?^ *```", "", text).split()) for text in texts)


def read_arrows(package):
    """From each room at the top of a package, a module or a folder, to those that it imports.

    Imports inside functions and for types count as any other.
    """
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    rooms = modules | {path.parent.name for path in package.glob("*/__init__.py")}
    arrows = {room: set() for room in rooms}
    for path in package.rglob("*.py"):
        place = path.relative_to(package)
        room = place.parts[0].removesuffix(".py")
        if room not in rooms:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            arrows[room] |= {*_imported(node, package.name, place)} & rooms - {room}
    return arrows


def _imported(node, package, place):
    """The names at the top of the package that an import may mean."""
    if isinstance(node, ast.Import):
        for name in node.names:
            yield from name.name.split(".")[1:2] if name.name.startswith(f"{package}.") else ()
    elif isinstance(node, ast.ImportFrom):
        # `from . import a` in a folder of the package means the folder, above that the package.
        inside = [package, *place.parts[: len(place.parts) - node.level]] if node.level else []
        full = [*inside, *(node.module or "").split(".")]
        full = [part for part in full if part]
        if full[:1] == [package]:
            yield from full[1:2] or (name.name for name in node.names)


def count_floors(arrows):
    """The longest way down, in rooms.

    Raises:
        RecursionError: there is a circle.
    """
    floors = {}

    def floor(room):
        if room not in floors:
            floors[room] = 1 + max(map(floor, arrows[room]), default=0)
        return floors[room]

    return max(map(floor, arrows), default=0)


def count_commands():
    """How many commands `facematch` has, and how many options with them, as its help names them."""
    from facematch_core.cli.app import facematch

    commands = options = 0
    groups = [facematch]
    while groups:
        group = groups.pop()
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            options += sum(isinstance(p, click.Option) and not p.hidden for p in command.params)
            if isinstance(command, click.Group):
                groups.append(command)
            else:
                commands += 1
    return commands, options


def measure(root):
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, check=True)
    paths = listed.stdout.decode().splitlines()
    arrows = read_arrows(root / "facematch_core")
    commands, options = count_commands()
    return {
        **count_lines(root, paths),
        "pages: words": count_words(root, paths),
        "core: rooms": len(arrows),
        "core: floors": count_floors(arrows),
        "core: arrows": sum(map(len, arrows.values())),
        "facematch: commands": commands,
        "facematch: options": options,
    }


def complaints(numbers, budget):
    for name in sorted(numbers.keys() | budget.keys()):
        number, most = numbers.get(name, 0), budget.get(name, 0)
        if number > most:
            yield (
                f"{name}: {number:,}, and its budget is {most:,}. Take something away, or raise "
                f"the line in {BUDGET.name} and say in the commit what for."
            )


def main():
    numbers = measure(ROOT)
    if sys.argv[1:] == ["--write"]:
        lines = (f'"{name}" = {number}\n' for name, number in sorted(numbers.items()))
        BUDGET.write_text("# At most so many: see house.py.\n" + "".join(lines))
    budget = tomllib.loads(BUDGET.read_text())
    too_much = [*complaints(numbers, budget)]
    spare = {name: budget[name] - number for name, number in numbers.items() if name in budget}
    rooms = ", ".join(f"{name} {number:,}" for name, number in sorted(spare.items()) if number > 0)
    sys.stdout.write("".join(f"{line}\n" for line in too_much))
    if rooms and not too_much:
        sys.stdout.write(f"Below the budget (--write lowers it): {rooms}\n")
    return bool(too_much)


if __name__ == "__main__":
    sys.exit(main())
