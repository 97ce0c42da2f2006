"""Add a comparison with a real vendor to docs/vendors/compared.toml, and its report beside it.

    facematch parity didit.json --json > report.json
    python docs/_compared.py report.json didit.json
    python docs/_compared.py report.json compreface.json --image exadel/compreface@sha256:...
    python docs/_compared.py report.json deepface.json --software "deepface 0.0.103 (PyPI)" \\
        --server http://127.0.0.1:5077

A comparison counts only if each call went to a host of the vendor's own, or to a server on this
machine: an image that was pulled, which is named with its digest, or software whose `GET /` names
its version. The recording must be the one that was compared. Needs only the standard library, so it
may run where nothing is installed.

With --last nothing is added: it fails if the report says something else than the last one.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import hashlib
import json
import re
import subprocess
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

#: A folder with compared.toml, to which the folder `reports` is added.
VENDORS = Path(__file__).parent / "vendors"
#: What --json of `facematch parity` writes.
KIND = "facematch-parity"
SCHEMA = 3
LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?")
IMAGE = re.compile(r"[a-z0-9][a-z0-9./_:-]*@sha256:[0-9a-f]{64}")


SOFTWARE = re.compile(r"([a-z]+) (\d+(?:\.\d+)+) \(PyPI\)")
#: What is no weight of the software's own in .github/scripts/deepface/weights.py.
STAND_INS = {"deepface": "FasNet, age, gender, emotion and race"}


@dataclasses.dataclass(frozen=True)
class Server:
    """The server that answered, if it was not the vendor's: an image, or software from PyPI."""

    image: str | None = None
    software: str | None = None
    url: str | None = None

    @property
    def is_here(self) -> bool:
        return self.image is not None or self.software is not None

    def check(self) -> None:
        """Raise DoesNotCount if this machine does not have it."""
        if self.image is not None:
            if IMAGE.fullmatch(self.image) is None:
                raise DoesNotCount(f"{self.image:.80} is no image with a digest: NAME@sha256:...")
            if not _was_pulled(self.image):
                raise DoesNotCount(f"docker has no image {self.image}")
        if self.software is not None:
            found = SOFTWARE.fullmatch(self.software)
            if found is None or self.url is None:
                raise DoesNotCount('name the --software as "deepface 0.0.103 (PyPI)", and --server')
            if f"v{found[2]}!" not in _home_page(self.url):
                raise DoesNotCount(f"{self.url} does not say that it is {self.software}")


def _was_pulled(image: str) -> bool:
    line = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image]
    try:
        return image in json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False


def _home_page(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read(1000).decode())
    except OSError:
        return ""


class DoesNotCount(Exception):
    """The comparison does not count; the text says why."""


def check_report(report: Any, recording: bytes, server: Server) -> None:
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
    for host in report["hosts"]:
        is_own = host["is_the_vendors_own"]
        if not server.is_here and not is_own:
            raise DoesNotCount(
                f"{host['host']} is not the vendor's own host: name the --image or the --software"
            )
        if server.is_here and (is_own or LOOPBACK.fullmatch(host["host"]) is None):
            raise DoesNotCount(f"{host['host']} is no server on this machine")
    server.check()


def row_of(report: dict[str, Any], report_name: str, server: Server) -> str:
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
    if server.image is not None:
        values["image"] = json.dumps(server.image)
    if server.software is not None:
        values["software"] = json.dumps(server.software)
        values["stand_ins"] = json.dumps(STAND_INS[report["hosts"][0]["vendor"]])
    lines = [f"{name} = {value}" for name, value in values.items()]
    return "\n".join(["", "[[comparison]]", *lines, ""])


def add_comparison(
    report_file: Path, recording: Path, server: Server, vendors: Path = VENDORS
) -> str:
    """Add the comparison and its report; return the report's name. Raises DoesNotCount."""
    try:
        report = json.loads(report_file.read_bytes())
    except ValueError:
        raise DoesNotCount(f"{report_file} is no JSON") from None
    check_report(report, recording.read_bytes(), server)
    name = f"reports/{report['hosts'][0]['vendor']}-{report['recorded'][-1]}.json"
    copy = vendors / name
    if copy.exists():
        raise DoesNotCount(f"{name} is there already")
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with (vendors / "compared.toml").open("a", encoding="utf-8") as file:
        file.write(row_of(report, name, server))
    return name


def differences_from_last(report: dict[str, Any], vendors: Path = VENDORS) -> list[str]:
    """Return the calls of a report that the vendor's last one tells otherwise, or lacks."""
    vendor = report["hosts"][0]["vendor"]
    rows = tomllib.loads((vendors / "compared.toml").read_text("utf-8")).get("comparison", [])
    names = [row["report"] for row in rows if row["vendor"] == vendor]
    if not names:
        return [f"{vendor} has no row"]
    last = json.loads((vendors / names[-1]).read_bytes())
    calls = [_told(each) for each in report["exchanges"]]
    last_calls = [_told(each) for each in last["exchanges"]]
    changed = [call for call in calls if call not in last_calls]
    return changed + [f"gone: {call}" for call in last_calls if call not in calls]


def _told(exchange: dict[str, Any]) -> str:
    differences = [each["aspect"] for each in exchange["differences"]]
    return " ".join([str(exchange["number"]), exchange["call"], exchange["result"], *differences])


def main() -> None:
    """Add the comparison; exit with 1 if it does not count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--image", help="the image that answered: NAME@sha256:DIGEST")
    parser.add_argument("--software", help='what answered: "deepface 0.0.103 (PyPI)"')
    parser.add_argument("--server", help="the URL of the software, which is running")
    parser.add_argument("--last", action="store_true", help="compare with the last row instead")
    options = parser.parse_args()
    server = Server(options.image, options.software, options.server)
    try:
        if options.last:
            report = json.loads(options.report.read_bytes())
            check_report(report, options.recording.read_bytes(), server)
            changed = differences_from_last(report)
            parser.exit(bool(changed), "".join(f"not as last time: {each}\n" for each in changed))
        name = add_comparison(options.report, options.recording, server)
    except DoesNotCount as reason:
        parser.exit(1, f"The comparison does not count: {reason}.\n")
    print(f"Added docs/vendors/{name}, and its row to docs/vendors/compared.toml.")


if __name__ == "__main__":
    main()
