"""A name server that never answers, in a network of its own: deadlines hold all the same.

The system's own resolver waits there for ten seconds, as it does wherever packets are swallowed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PHOTOGRAPH = Path(__file__).parents[2] / "docs" / "photographs" / "grace-hopper.jpg"
#: Networks and files of one's own: as root, or as whom the kernel lets play root.
APART = ["unshare", "--net", "--mount"]
if os.geteuid():
    APART.insert(1, "--map-root-user")

SETTING_UP = """
set -e
ip link set lo up
mount --bind "$1" /etc/resolv.conf
mount --bind "$2" /etc/nsswitch.conf
shift 2
exec "$@"
"""

CALLS = """
import asyncio, json, pathlib, socket, sys, threading, time
import facematch_core as fm
from facematch_core.verifier.aio import AsyncFaceVerifier
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer

swallows = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
swallows.bind(("127.0.0.1", 53))
picture = fm.Image.from_bytes(pathlib.Path(sys.argv[1]).read_bytes())
silent = fm.FaceVerifier(
    DiditBackend(api_key="key", base_url="https://vendor.example", allow_base_url=True)
)
took = {}

def measure(name, call):
    start = time.monotonic()
    try:
        outcome = call()
    except fm.VendorUnavailable as error:
        outcome = error
    took[name] = time.monotonic() - start
    return outcome

async def verify():
    async with AsyncFaceVerifier(silent) as verifier:
        return await verifier.verify(picture, picture, deadline_s=1)

error = measure("sync", lambda: silent.verify(picture, picture, deadline_s=1))
assert (error.billing.charged, error.retryable) == (fm.Charged.NO, False), error
assert "facematch-look-up" in [thread.name for thread in threading.enumerate()]
with MockServer() as mock:
    second = fm.FaceVerifier(DiditBackend(api_key=mock.live_key, base_url=mock.url))
    both = fm.Failover({"silent": silent, "second": second}, deadline_s=4)
    result = measure("failover", lambda: both.verify(picture, picture))
    assert isinstance(result, fm.MatchResult), result
error = measure("awaited", lambda: asyncio.run(verify()))
assert (error.billing.charged, error.retryable) == (fm.Charged.NO, False), error
print(json.dumps(took))
"""


@pytest.fixture
def apart(tmp_path, find_program, missing_program):
    """Runs Python code where a name server takes questions and never answers."""
    find_program("unshare")
    find_program("ip")
    resolver, order = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    order.write_text("hosts: files dns\n")
    command = [*APART, "sh", "-c", SETTING_UP, "sh", resolver, order]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        missing_program("the right to a network and mounts of its own (unshare)")

    def run(code, *arguments):
        done = subprocess.run(
            [*command, sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_silent_name_server_does_not_keep_a_call_beyond_its_deadline(apart):
    took = json.loads(apart(CALLS, PHOTOGRAPH))
    assert 0.9 < took["sync"] < 4
    assert 0.9 < took["awaited"] < 4
    assert took["failover"] < 4
