"""`facematch verify --pairs` is stopped in each way, and run again: no answer is paid for twice."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kit.fakes import invoke_facematch

from facematch_mock_server import MockServer, make_card

PAIRS = 40
WORKERS = 3
COMMAND = "from facematch_core.cli import main; main()"
#: Runs the command with a limit on the size of a file, as on a full disk.
LIMITED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
{COMMAND}
"""


@pytest.fixture
def mock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("probe.png").write_bytes(make_card("ada"))
    Path("reference.png").write_bytes(make_card("ada", quality=60))
    Path("pairs.csv").write_text("probe,reference\n" + "probe.png,reference.png\n" * PAIRS)
    with MockServer(seed=5) as server:
        monkeypatch.setenv("DIDIT_API_KEY", server.live_key)
        Path("facematch.toml").write_text(
            '[profiles.shop]\nbackend = "didit"\n[profiles.shop.settings]\n'
            f'base_url = "{server.url}"\nenvironment = "mock"\n'
        )
        yield server


@pytest.fixture
def batch(request, mock):
    return Batch(mock, f"out.{getattr(request, 'param', 'jsonl')}")


BOTH_FORMS = pytest.mark.parametrize(
    "batch", [pytest.param("jsonl", marks=pytest.mark.slow), "csv"], indirect=True
)


class Batch:
    def __init__(self, mock, out):
        self.mock = mock
        self.out = Path(out)

    def words(self, *more):
        return [
            *("verify", "--pairs", "pairs.csv", "--out", str(self.out), "--profile", "shop"),
            *("--config", "facematch.toml", "--workers", str(WORKERS), *more),
        ]

    def run(self, *more):
        answer = invoke_facematch(*self.words(*more))
        return answer.exit_code, answer.output

    def start(self, *more, code=COMMAND, arguments=()):
        """Run the command in a process of its own."""
        command = [sys.executable, "-W", "error", "-c", code, *arguments, *self.words(*more)]
        path = os.pathsep.join(sys.path)
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )

    def stop(self, number, charges, *more):
        """Send a signal to a run once it has made some charges."""
        # Otherwise the run may be over before the signal.
        self.mock.control.set_latency("match", 0.3)
        with self.start(*more) as process:
            deadline = time.monotonic() + 240
            while self.charges < charges:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.send_signal(number)
            process.communicate(timeout=240)
        self.mock.control.set_latency("match", 0)
        return process.returncode

    @property
    def charges(self):
        return len(self.mock.control.charges())

    @property
    def results(self):
        """The lines of the pairs with a result, in the order of the pairs; a torn row is none."""
        text = self.out.read_text()
        whole = text[: text.rfind("\n") + 1]
        if self.out.suffix == ".csv":
            rows = csv.DictReader(whole.splitlines())
        else:
            rows = map(json.loads, whole.splitlines())
        return sorted(int(row["line"]) for row in rows if not row["error"])


ALL = list(range(2, PAIRS + 2))


def test_ctrl_c_and_the_same_command_pay_each_pair_once(batch):
    assert batch.stop(signal.SIGINT, 10) == 130
    assert batch.charges == len(batch.results) < PAIRS
    assert (Path(f"{batch.out}.calls").stat().st_mode & 0o777) == 0o600
    assert batch.run()[0] == 0
    assert batch.results == ALL
    assert batch.run()[0] == 0
    assert batch.charges == PAIRS


@pytest.mark.slow
def test_credit_ends_and_the_same_command_pays_each_pair_once(batch):
    batch.mock.control.set_balance("1.00")
    assert batch.run()[0] == 5
    paid = batch.charges
    assert paid == len(batch.results) < PAIRS
    batch.mock.control.set_balance("100")
    assert batch.stop(signal.SIGINT, paid + 5) == 130
    assert batch.run()[0] == 0
    assert batch.results == ALL
    assert batch.charges == PAIRS


@pytest.mark.slow
@BOTH_FORMS
def test_full_disk_and_the_same_command_pay_each_pair_once(batch):
    pytest.importorskip("resource")
    with batch.start(code=LIMITED, arguments=["200000"]) as process:
        errors = process.communicate(timeout=240)[1]
    assert process.returncode == 4, errors
    assert 0 < len(batch.results) <= batch.charges < PAIRS
    code, output = batch.run()
    unknown = PAIRS - len(batch.results)
    assert code == (6 if unknown else 0), output
    assert unknown <= WORKERS
    assert batch.charges == len(batch.results) + unknown


@pytest.mark.slow
@BOTH_FORMS
def test_kill_leaves_at_most_one_unknown_call_per_worker(batch):
    assert batch.stop(signal.SIGKILL, 10) == -signal.SIGKILL
    code, output = batch.run()
    unknown = PAIRS - len(batch.results)
    assert code == (6 if unknown else 0), output
    assert unknown <= WORKERS
    assert len(batch.results) <= batch.charges <= len(batch.results) + unknown
    assert batch.run("--repeat", "unknown")[0] == 0
    assert batch.results == ALL
    assert batch.charges <= PAIRS + unknown


def test_force_keeps_paid_results_until_the_new_ones_are_complete(batch):
    assert batch.run()[0] == 0
    before = batch.out.read_bytes()
    assert batch.stop(signal.SIGKILL, PAIRS + 5, "--repeat", "all") == -signal.SIGKILL
    assert batch.out.read_bytes() == before
    assert batch.run("--repeat", "all")[0] == 2
    for path in Path().glob("out.new*"):
        path.unlink()
    assert batch.run("--repeat", "all")[0] == 0
    assert batch.results == ALL
    assert batch.out.read_bytes() != before
    files = {path.name for path in Path().glob("out*")}
    assert files == {"out.jsonl", "out.jsonl.calls", "out.jsonl.calls.lock"}
