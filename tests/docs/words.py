"""Looks for the words and names of `words.toml` in what a reader meets; run by `make lint`.

Words: in Python in docstrings, comments and texts; in a page of the documentation in everything
outside of blocks of code; in a script in its texts and comments. Names: wherever Python binds one,
in blocks of code on a page, too.
"""

import ast
import contextlib
import fnmatch
import io
import re
import subprocess
import sys
import textwrap
import tokenize
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("words.toml")
#: Where readers are; the tests speak to those who maintain them.
READ = ("*.md", "*.py", "*.html", "*.js", "*.mjs", "facematch_core/cli/*.txt")
SKIPPED = ("CHANGELOG.md", "benchmarks/*")
#: Where names are bound.
PROGRAMS = ("*.py", "*.py.txt", "*.md")
#: So many names may stay: public ones, which users have written down.
MOST_ALLOWED = 10
#: Between two words a line may break, in a comment or a quotation, too.
BLANK = r"[ \n#>*]+"
TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}


def prose(path, text):
    """The pieces of a file that are prose, each with the number of its first line."""
    if path.endswith((".py", ".py.txt")):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in TEXTS:
                piece = token.string
                if re.match(r"(?i)[rb]*f", piece):
                    # Before Python 3.12 a name in braces is part of the text.
                    piece = re.sub(r"\{[^{}]*\}", lambda name: "_" * len(name[0]), piece)
                yield token.start[0], piece
    elif path.endswith((".js", ".mjs")):
        for number, line in enumerate(text.splitlines(), 1):
            for piece in re.findall(r'"[^"]*"|//.*', line):
                yield number, piece
    else:
        code = r"(?ms)^ *```.*?^ *```"
        yield 1, re.sub(code, lambda block: "\n" * block[0].count("\n"), text)


def findings(path, text, words, allowed=()):
    free = {
        word
        for entry in allowed
        if any(fnmatch.fnmatch(path, pattern) for pattern in entry["paths"])
        for word in entry["words"]
    }
    for number, piece in prose(path, text):
        for word, instead in words.items():
            pattern = word.replace(" ", BLANK)
            for match in re.finditer(rf"(?i)\b(?:{pattern})\b", piece):
                if word not in free:
                    line = number + piece[: match.start()].count("\n")
                    yield f"{path}:{line}: {' '.join(match[0].split())!r}: write {instead}"


def programs(path, text):
    """The Python of a file, each piece with the number of the line before it.

    Of a page those blocks that are Python; one that is not whole is passed over.
    """
    if not path.endswith(".md"):
        # In a template `$name` or `${Name}` stands for a part of a name.
        yield 0, ast.parse(re.sub(r"\$\{?(\w+)\}?", r"\1_", text) if ".txt" in path else text)
        return
    for block in re.finditer(r"(?ms)^ *```python\b[^\n]*\n(.*?)^ *```", text):
        with contextlib.suppress(SyntaxError):
            yield text[: block.start(1)].count("\n"), ast.parse(textwrap.dedent(block[1]))


def bindings(tree):
    """Every name that a program binds, with its line: variables, parameters, attributes, ..."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.alias(asname=str(name))
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(name)):
                yield node.lineno, name


def name_findings(path, text, names):
    """The names of a file that do not say what they hold: a line for each."""
    free = {entry["name"] for entry in names["allowed"] if fnmatch.fnmatch(path, entry["path"])}
    for before, tree in programs(path, text):
        bound = sorted(bindings(tree))
        words = {name for _, name in bound}
        for line, name in bound:
            word = name.strip("_").lower()
            beside = names["free_beside"].get(word, ())
            if word in names["banned"] and name not in free and words.isdisjoint(beside):
                yield f"{path}:{before + line}: {name!r}: name what it holds"


def files(patterns):
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for path in listed.stdout.splitlines():
        if (ROOT / path).is_file():
            yield path, (ROOT / path).read_text(encoding="utf-8")


def main():
    """Print every finding of the repository; 1 if there is one."""
    rules = tomllib.loads(LIST.read_text(encoding="utf-8"))
    wrong = [
        finding
        for path, text in files(READ)
        if not any(fnmatch.fnmatch(path, skipped) for skipped in SKIPPED)
        for finding in findings(path, text, rules["words"], rules["allowed"])
    ]
    for path, text in files(PROGRAMS):
        wrong += name_findings(path, text, rules["names"])
    if len(rules["names"]["allowed"]) > MOST_ALLOWED:
        wrong.append(f"{LIST.name}: more than {MOST_ALLOWED} names are allowed")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
