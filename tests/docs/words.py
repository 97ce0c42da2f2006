"""Looks for the words of `words.toml` in everything that a reader meets; run by `make lint`.

In Python that is docstrings, comments and texts, but no name of a variable; in a page of the
documentation everything outside of blocks of code; in a script its texts and comments.
"""

import fnmatch
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("words.toml")
#: Where readers are; the tests speak to those who maintain them.
READ = ("*.md", "*.py", "*.html", "*.js", "*.mjs", "facematch_core/cli/*.txt")
SKIPPED = ("CHANGELOG.md", "docs/evidence/*", "benchmarks/*")
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
    """What is wrong in a file: a line for each word."""
    free = {
        word
        for entry in allowed
        if any(fnmatch.fnmatch(path, pattern) for pattern in entry["paths"])
        for word in entry["words"]
    }
    for number, piece in prose(path, text):
        for word, instead in words.items():
            pattern = word.replace(" ", BLANK)
            for found in re.finditer(rf"(?i)\b(?:{pattern})\b", piece):
                if word not in free:
                    line = number + piece[: found.start()].count("\n")
                    yield f"{path}:{line}: {' '.join(found[0].split())!r}: write {instead}"


def main():
    """Print every finding of the repository; 1 if there is one."""
    known = tomllib.loads(LIST.read_text(encoding="utf-8"))
    listed = subprocess.run(
        ["git", "ls-files", *READ], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wrong = [
        finding
        for path in listed.stdout.splitlines()
        if (ROOT / path).is_file()
        and not any(fnmatch.fnmatch(path, skipped) for skipped in SKIPPED)
        for finding in findings(
            path, (ROOT / path).read_text(encoding="utf-8"), known["words"], known["allowed"]
        )
    ]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
