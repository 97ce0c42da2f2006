"""Fetch the pinned definitions into a folder, and tell what newer ones say otherwise.

    python -m kit.definitions.fetch FOLDER

It exits with 1 if a definition is not the pinned one, or if the newest differs in a call that the
mock has. A repository that cannot be reached is named and skipped.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from kit.definitions import documents
from kit.mock_world import new_engine

from facematch_mock_server.base.messages import Request

MOST_LINES = 20
TIMEOUT_S = 300


def git(folder, *words):
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S).stdout


def read_commit(folder, commit, names):
    return {name: git(folder, "show", f"{commit}:{name}") for name in names}


def fetch(pin):
    """Return the files of the pinned commit and those of the newest one."""
    with tempfile.TemporaryDirectory(prefix="facematch-definitions-") as folder:
        options = ("--quiet", "--bare", "--depth=1", "--filter=blob:none")
        git(folder, "clone", *options, pin["repository"], ".")
        git(folder, "fetch", "--quiet", "--depth=1", "origin", pin["commit"])
        pinned = read_commit(folder, pin["commit"], pin["files"])
        return pinned, read_commit(folder, "HEAD", pin["files"])


def imitated(vendor, definition):
    """Return the calls of a definition that the mock has."""
    behaviour = new_engine(vendor=vendor).world.behaviour
    prefix = documents.PREFIXES[vendor]
    calls = {}
    for operation in definition.operations:
        target = prefix + operation.path.replace("{", "").replace("}", "")
        if behaviour.imitates(Request(method=operation.method, target=target)):
            calls[operation.method, operation.path] = operation
    return calls


def compare(vendor, pinned, newest):
    """Return what the newest definition says otherwise of calls that the mock has, as lines."""
    lines = []
    for sign, ours, others in (("+", newest, pinned), ("-", pinned, newest)):
        said = set()
        said_there = set()
        for operation in imitated(vendor, ours).values():
            said |= ours.describe(operation)
        for operation in imitated(vendor, others).values():
            said_there |= others.describe(operation)
        lines += [f"{sign} {line}" for line in sorted(said - said_there)]
    return lines


def report(vendor, lines):
    for line in lines[:MOST_LINES]:
        print(f"{vendor}: {line}")
    if len(lines) > MOST_LINES:
        print(f"{vendor}: and {len(lines) - MOST_LINES} more lines")


def main(folder):
    failures = 0
    for vendor, pin in documents.PINS.items():
        try:
            pinned, newest = fetch(pin)
        except (OSError, subprocess.SubprocessError):
            print(f"{vendor}: not checked, {pin['repository']} cannot be reached")
            continue
        if documents.digest_of(pinned) != pin["sha256"]:
            failures += 1
            print(f"{vendor}: the files of {pin['commit'][:7]} have another digest")
            continue
        for name, content in pinned.items():
            path = Path(folder, vendor, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        lines = compare(vendor, documents.read(vendor, pinned), documents.read(vendor, newest))
        report(vendor, lines)
        print(f"{vendor}: {len(lines)} lines differ between {pin['commit'][:7]} and the newest")
        failures += bool(lines)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
