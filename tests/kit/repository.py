"""The files of the repository, also in a downloaded archive, which has no history to ask."""

import fnmatch
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HAS_HISTORY = (ROOT / ".git").exists()


def tracked_files(*below):
    """Return the names of the committed files in these folders; of all files without a folder."""
    names = ask_git("--cached") if HAS_HISTORY else find_files()
    folders = tuple(f"{folder}/" for folder in below)
    return sorted(name for name in names if not below or name.startswith(folders))


def ask_git(*options):
    command = ["git", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def find_files():
    """Return the names of all files that `.gitignore` does not exclude."""
    rules = (ROOT / ".gitignore").read_text("utf-8").split()
    found = []
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not _is_ignored(here / name, rules)]
        found += [(here / name).as_posix() for name in files if not _is_ignored(here / name, rules)]
    return found


def _is_ignored(path, rules):
    """Return whether one of the rules of `.gitignore` that this repository has excludes a path."""
    return path.name == ".git" or any(
        fnmatch.fnmatchcase(path.name, rule.strip("/"))
        for rule in rules
        if not rule.startswith("/") or len(path.parts) == 1
    )
