"""Compare DeepFace's real server with its mock: `make compare-deepface`, by hand and each week.

    python compare.py OUT [--add] [--version VERSION]

Installs the server from PyPI into .cache/deepface (460 MB, once), starts it with the weights that
facematch_local has, and makes three recordings: the first calls to a server with a token, and to
one without, and the backend's own calls for docs/photographs/pairs.csv. `weights.py` says which
weights are stand-ins. The recordings stay in OUT.

Fails if `facematch parity` finds a difference, or something else than the last row of
docs/vendors/compared.toml says; with --add, adds the row.
"""

# ruff: noqa: S603 - the commands are of this file

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache/deepface"
PHOTOGRAPHS = ROOT / "docs/photographs"
#: The version that the mock imitates.
VERSION = "0.0.103"
#: The last one whose wheel has the cascades of the default detector.
OPENCV = "opencv-python-headless==4.11.0.86"
SERVER_PORT = 5077
SERVER = f"http://127.0.0.1:{SERVER_PORT}"
RECORDER_PORT = 8077
RECORDER = f"http://127.0.0.1:{RECORDER_PORT}"
TOKEN = "mock-deepface-token"  # noqa: S105 - of a server on this machine
FIRST_PICTURES = ("grace-hopper.jpg", "grace-hopper-card.jpg", "eileen-collins.jpg")
FACEMATCH = [sys.executable, "-c", "from facematch_core.cli import main; main()"]


def install(version: str) -> Path:
    """Return the folder of the server's own Python, with its weights."""
    folder = CACHE / version
    python = folder / "bin/python"
    if not (folder / "home").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", f"deepface[api]=={version}", "onnx", "pillow"], check=True)
        subprocess.run([*pip, "download", "--no-deps", "--dest", folder, OPENCV], check=True)
        (haar,) = folder.glob("opencv_python_headless*.whl")
        weights = ROOT / "backends/facematch_local/weights"
        script = Path(__file__).with_name("weights.py")
        subprocess.run([python, script, folder / "part", weights, haar], check=True)
        (folder / "part").rename(folder / "home")
    return folder


@contextlib.contextmanager
def running(line: list[object], port: int, log: Path, **variables: str) -> Iterator[None]:
    """Run a server until the block ends."""
    with log.open("ab") as output:
        server = subprocess.Popen(
            [str(word) for word in line],
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
        )
    try:
        for _ in range(240):
            # A request to the recorder would be a call.
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if server.poll() is not None:
                raise SystemExit(f"port {port} did not open: see {log}")
            time.sleep(0.5)
        yield
    finally:
        server.terminate()
        server.wait(60)


def serving(folder: Path, out: Path, **variables: str) -> contextlib.AbstractContextManager[None]:
    """Run DeepFace's server."""
    app = "deepface.api.src.app:create_app()"
    options = ["--workers=1", "--timeout=7200", f"--bind=127.0.0.1:{SERVER_PORT}"]
    home = str(folder / "home")
    return running(
        [folder / "bin/gunicorn", *options, app],
        SERVER_PORT,
        out / "server.log",
        DEEPFACE_HOME=home,
        DEEPFACE_BACKEND_ENGINE="onnx",
        **variables,
    )


def recording(name: str, out: Path) -> contextlib.AbstractContextManager[None]:
    """Forward calls to the server and record them."""
    options = [
        "--vendor",
        "deepface",
        "--port",
        RECORDER_PORT,
        "--max-calls",
        "200",
    ]
    line = [*FACEMATCH, "mock", *options, "--upstream", SERVER, "--record", out / f"{name}.json"]
    return running(line, RECORDER_PORT, out / "recorder.log")


def make_attack(folder: Path, out: Path) -> Path:
    """Make the picture that the stand-in for FasNet calls an attack: a blue photograph."""
    attack = out / "attack.jpg"
    program = (
        "import sys; from PIL import Image; red, green, blue = Image.open(sys.argv[1])"
        ".convert('RGB').split(); Image.merge('RGB', (red.point(lambda x: x // 2), green, "
        "blue.point(lambda x: min(255, x + 40)))).save(sys.argv[2])"
    )
    picture = PHOTOGRAPHS / FIRST_PICTURES[0]
    subprocess.run([folder / "bin/python", "-c", program, picture, attack], check=True)
    return attack


def make_first_calls(attack: Path, token: str) -> None:
    line = [sys.executable, "-m", "facematch_mock_server.first_calls", "deepface"]
    line += ["--attack", attack, *(PHOTOGRAPHS / name for name in FIRST_PICTURES)]
    variables = {"FIRST_CALLS_URL": RECORDER, "DEEPFACE_AUTH_TOKEN": token}
    subprocess.run(line, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, check=True)


def compare_pairs(detector: str) -> Counter[str]:
    """Return how many pairs of the samples end in each decision, by what they show."""
    from facematch_core import open_verifier

    settings = {"model_name": "SFace", "detector_backend": detector, "base_url": RECORDER}
    decisions: Counter[str] = Counter()
    with (
        open_verifier("deepface", **settings) as verifier,
        (PHOTOGRAPHS / "pairs.csv").open() as file,
    ):
        for pair in csv.DictReader(file):
            result = verifier.verify(PHOTOGRAPHS / pair["probe"], PHOTOGRAPHS / pair["reference"])
            decisions[f"{pair['expected']} {result.decision.name}"] += 1
    return decisions


def compare(name: str, out: Path) -> Mapping[str, int]:
    """Write the report of a recording; return its counts."""
    line = [*FACEMATCH, "parity", out / f"{name}.json"]
    report = subprocess.run([*line, "--json"], capture_output=True, check=False)
    (out / f"{name}-report.json").write_bytes(report.stdout)
    shown = subprocess.run(line, capture_output=True, check=False)
    (out / f"{name}-report.txt").write_bytes(shown.stdout)
    counts: Mapping[str, int] = json.loads(report.stdout)["counts"]
    print(f"{name}: {', '.join(f'{count} {result}' for result, count in counts.items())}")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--add", action="store_true", help="add the row of the version")
    options = parser.parse_args()
    out: Path = options.out
    version: str = options.version
    out.mkdir(parents=True)
    folder = install(version)
    attack = make_attack(folder, out)
    with serving(folder, out, DEEPFACE_AUTH_TOKEN=TOKEN):
        with recording("token", out):
            make_first_calls(attack, TOKEN)
        software = [f"--software=deepface {version} (PyPI)", f"--server={SERVER}"]
        compare("token", out)
        line = [sys.executable, ROOT / "docs/_compared.py", out / "token-report.json"]
        mode = [] if options.add else ["--last"]
        row = subprocess.run([*line, out / "token.json", *software, *mode], check=False)
    with serving(folder, out):
        with recording("no-token", out):
            make_first_calls(attack, "none")
        with recording("backend", out):
            for detector in ("opencv", "yunet"):
                print(f"{detector}: {dict(sorted(compare_pairs(detector).items()))}")
    differences = [compare(name, out)["different"] for name in ("no-token", "backend")]
    if row.returncode or any(differences):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
