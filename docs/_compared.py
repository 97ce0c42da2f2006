"""Add a comparison with a real vendor to docs/vendors/compared.toml, and its report beside it.

    facematch parity didit.json --json > report.json
    python docs/_compared.py report.json didit.json
    python docs/_compared.py report.json deepface.json --image serengil/deepface@sha256:...

A comparison counts only if each call went to a host of the vendor's own, or to an image on this
machine that is named with its digest, and if the recording is the one that was compared. Needs only
the standard library, so it may run where nothing is installed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Any

#: A folder with compared.toml, to which the folder `reports` is added.
VENDORS = Path(__file__).parent / "vendors"
#: What --json of `facematch parity` writes.
KIND = "facematch-parity"
SCHEMA = 3
LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?")
IMAGE = re.compile(r"[a-z0-9][a-z0-9./_:-]*@sha256:[0-9a-f]{64}")


class DoesNotCount(Exception):
    """The comparison does not count; the text says why."""


def check_report(report: Any, recording: bytes, image: str | None) -> None:
    """Raise DoesNotCount if the report is not one of a comparison that counts."""
    is_report = isinstance(report, dict) and report.get("kind") == KIND
    if not is_report or report.get("schema") != SCHEMA:
        raise DoesNotCount(f"it is no report of facematch parity --json, schema {SCHEMA}")
    if hashlib.sha256(recording).hexdigest() != report["sha256"]:
        raise DoesNotCount("the recording is not the one that was compared: its SHA-256 differs")
    if not report["exchanges"]:
        raise DoesNotCount("it has no call")
    vendors = sorted({host["vendor"] for host in report["hosts"]})
    if len(vendors) > 1:
        raise DoesNotCount(f"it has several vendors ({', '.join(vendors)}): record each alone")
    if image is not None and IMAGE.fullmatch(image) is None:
        raise DoesNotCount(f"{image:.80} is no image with a digest: NAME@sha256:64 digits")
    for host in report["hosts"]:
        is_own = host["is_the_vendors_own"]
        if image is None and not is_own:
            raise DoesNotCount(f"{host['host']} is not the vendor's own host: name the --image")
        if image is not None and (is_own or LOOPBACK.fullmatch(host["host"]) is None):
            raise DoesNotCount(f"{host['host']} is no image on this machine: leave --image out")


def row_of(report: dict[str, Any], report_name: str, image: str | None) -> str:
    """Return the comparison as a table of the file."""
    counts = report["counts"]
    values: dict[str, Any] = {
        "vendor": json.dumps(report["hosts"][0]["vendor"]),
        "date": dt.date.fromisoformat(report["recorded"][-1]),
        "mock": json.dumps(report["facematch"]),
        "exchanges": len(report["exchanges"]),
        "alike": counts["alike"],
        "different": counts["different"],
        "report": json.dumps(report_name),
        "recording": json.dumps(report["sha256"]),
    }
    if image is not None:
        values["image"] = json.dumps(image)
    lines = [f"{name} = {value}" for name, value in values.items()]
    return "\n".join(["", "[[comparison]]", *lines, ""])


def add_comparison(
    report_file: Path, recording: Path, image: str | None, vendors: Path = VENDORS
) -> str:
    """Add the comparison and its report; return the report's name. Raises DoesNotCount."""
    try:
        report = json.loads(report_file.read_bytes())
    except ValueError:
        raise DoesNotCount(f"{report_file} is no JSON") from None
    check_report(report, recording.read_bytes(), image)
    name = f"reports/{report['hosts'][0]['vendor']}-{report['recorded'][-1]}.json"
    copy = vendors / name
    if copy.exists():
        raise DoesNotCount(f"{name} is there already")
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with (vendors / "compared.toml").open("a", encoding="utf-8") as file:
        file.write(row_of(report, name, image))
    return name


def main() -> None:
    """Add the comparison; exit with 1 if it does not count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--image", help="the image that answered: NAME@sha256:DIGEST")
    options = parser.parse_args()
    try:
        name = add_comparison(options.report, options.recording, options.image)
    except DoesNotCount as reason:
        parser.exit(1, f"The comparison does not count: {reason}.\n")
    print(f"Added docs/vendors/{name}, and its row to docs/vendors/compared.toml.")


if __name__ == "__main__":
    main()
