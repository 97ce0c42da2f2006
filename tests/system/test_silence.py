"""What runs here asks no name, opens no connection, prints no warning, and leaves no file at home.

Each process has a network of its own, in which nothing can be reached, and strace records what it
asks of it: also what is not Python's. Telemetry like ONNX Runtime's looks its host up after nine
seconds, but makes its file as soon as it is imported: nobody has to wait to see it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facematch_core import available_backends
from facematch_core.backend.engine import EngineBackend
from facematch_core.config.plugins import backend_class

PHOTOGRAPH = Path(__file__).parents[2] / "docs" / "photographs" / "grace-hopper.jpg"
UNSET = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
#: A network of one's own: as root, or as whom the kernel lets play root.
APART = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
#: The backends whose class says that they ask nobody.
NAMES = [backend.name for backend in available_backends()]
LOCAL = [name for name in NAMES if issubclass(backend_class(name), EngineBackend)]

VERIFY = """
from pathlib import Path
from facematch_core import open_verifier

with open_verifier({name!r}) as verifier:
    print(verifier.verify(Path({picture!r}), Path({picture!r})))
"""


@pytest.fixture
def watched(tmp_path, find_program, missing_program):
    """Runs Python code apart: what it asked of the network, and the files of its home."""
    find_program("strace")
    find_program("unshare")
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        missing_program("the right to a network of its own (unshare --net)")
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    environment = {name: text for name, text in os.environ.items() if name not in UNSET}
    environment["HOME"] = str(home)

    def run(code):
        strace = ["strace", "-f", "-qq", "-e", "trace=network", "-e", "signal=none", "-o", trace]
        command = [*APART, *strace, sys.executable, "-c", code]
        how = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
        done = subprocess.run(command, check=False, timeout=240, **how)
        assert (done.returncode, done.stderr) == (0, "")
        files = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
        return trace.read_text().splitlines(), files

    return run


def test_strace_would_detect_a_lookup_and_a_file(watched):
    hosts, files = watched(
        "import pathlib, socket\n"
        "pathlib.Path('~/note').expanduser().write_text('x')\n"
        "try:\n"
        "    socket.getaddrinfo('telemetry.example', 443)\n"
        "except OSError:\n"
        "    pass\n"
    )
    assert any("connect(" in line and "htons(53)" in line for line in hosts), hosts
    assert files == ["note"]


def test_importing_makes_no_request_and_writes_nothing(watched):
    assert watched("import facematch_core") == ([], [])


@pytest.mark.parametrize("name", LOCAL)
def test_the_local_backend_makes_no_request_and_writes_nothing(watched, name):
    assert watched(VERIFY.format(name=name, picture=str(PHOTOGRAPH))) == ([], [])
