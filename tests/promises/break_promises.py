"""`make promises`: break what README.md and SECURITY.md promise, and see that tests notice.

Each break of `promises.toml` is made in a copy of the checkout, where the promise's tests then run
until one fails. A break that none of them notices ends the program with 1.

    python tests/promises/break_promises.py ["Never pay twice" ...]
"""

import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("promises.toml")
#: What a run of the tests of one break may take, in seconds.
LIMIT_S = 900


def read_promises():
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))["promise"]


def copy_checkout(place):
    shutil.rmtree(place, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).exists():
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def find_failure(place, tests):
    """The first test that fails in a copy, or None; what else goes wrong ends the program."""
    folders = [place, *(place / name for name in ("backends", "comparison", "mock_server"))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    words = ["-m", "pytest", "-x", "-q", "-n", "2", "-p", "no:cacheprovider"]
    selection = ["-m", "not long and not system and not docs"]
    done = subprocess.run(
        [sys.executable, *words, *selection, *tests],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED tests", "ERROR tests"))]
    if done.returncode == 0 or failed:
        return failed[0].split(" ")[1] if failed else None
    sys.exit(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def main():
    chosen, unnoticed = sys.argv[1:], 0
    place = ROOT / ".cache" / "promises"
    copy_checkout(place)
    for promise in read_promises():
        if chosen and promise["name"] not in chosen:
            continue
        began, noticed = time.monotonic(), 0
        for number, change in enumerate(promise["break"], 1):
            file = place / change["file"]
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(change["old"], change["new"], 1), encoding="utf-8")
            failure = find_failure(place, promise["tests"])
            file.write_text(text, encoding="utf-8")
            noticed += failure is not None
            print(f"  {number:2} {change['file']}: {failure or 'NOBODY NOTICED'}", flush=True)
        unnoticed += len(promise["break"]) - noticed
        counts = f"broken {len(promise['break'])}, noticed {noticed}"
        print(f"{promise['name']}: {counts} ({time.monotonic() - began:.0f} s)", flush=True)
    shutil.rmtree(place)
    sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
