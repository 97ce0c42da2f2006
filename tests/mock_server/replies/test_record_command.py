"""`facematch mock --record`: consent, what is called, what is said, and what is written."""

import json
import os
import re
import subprocess
import sys

import click
import pytest

from facematch_core.cli.app import facematch
from facematch_mock_server import MockServer
from facematch_mock_server.cli import command

FACEMATCH = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
#: A program with two vendors' hosts as constants. It prints each status.
PROGRAM = """
import sys
import requests
key = sys.argv[1]
didit = "https://verification.didit.me"
for url in (didit + "/v3/billing/balance/", didit + "/v3/users/Quenneville-Zoraida/",
            "https://api.withpersona.com/api/v1/inquiries"):
    try:
        print(requests.get(url, headers={"x-api-key": key}).status_code)
    except requests.RequestException as error:
        print("refused", error.response)
"""


@pytest.fixture
def vendor():
    with MockServer(vendor=["didit", "persona", "compreface"]) as server:
        yield server


@pytest.fixture
def record(tmp_path, vendor):
    def run(*options, program=PROGRAM, environment=None):
        line = [*FACEMATCH, "mock", "--upstream", vendor.url, *options]
        line += ["--", sys.executable, "-c", program, vendor.live_key]
        return subprocess.run(
            line,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            cwd=tmp_path,
            env={**os.environ, **(environment or {})},
        )

    return run


def test_calls_of_the_named_vendor_alone_are_sent_and_recorded(record, vendor, tmp_path):
    options = ["--door", "--vendor", "didit", "--record", "out.json", "--max-calls", "9"]
    done = record(*options)
    assert (done.returncode, done.stdout) == (0, "200\n404\nrefused None\n")
    assert re.match(r"REAL CALLS: up to 9 calls go to http://127\.0\.0\.1:\d+", done.stderr)
    assert "may charge" in done.stderr
    assert "The door refused api.withpersona.com" in done.stderr
    assert "Calls that may be charged: 2." in done.stderr
    assert "Read it before you share it." in done.stderr
    text = (tmp_path / "out.json").read_text()
    assert len(json.loads(text)["mappings"]) == 2
    assert vendor.live_key not in text
    assert "Quenneville" not in text
    assert {entry.vendor for entry in vendor.control.journal()} == {"didit"}
    # The file is never replaced.
    assert record(*options).returncode == 2
    assert (tmp_path / "out.json").read_text() == text
    assert len(vendor.control.journal()) == 2


def test_server_of_ones_own_is_not_said_to_charge(tmp_path):
    with MockServer(vendor="deepface") as vendor:
        line = [*FACEMATCH, "mock", "--vendor", "deepface", "--record", "out.json"]
        line += ["--max-calls", "3", "--upstream", vendor.url, "--door"]
        done = subprocess.run(
            [*line, "--", sys.executable, "-c", "pass"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert "charge" not in done.stderr
    assert "Calls: 0." in done.stderr


def test_limit_ends_the_calls(record, vendor):
    done = record("--door", "--vendor", "didit", "--record", "out.json", "--max-calls", "1")
    assert done.stdout.splitlines()[:2] == ["200", "503"]
    assert "--max-calls" in done.stderr
    assert len(vendor.control.journal()) == 1


UNKNOWN = """
import requests, sys
requests.post("https://verification.didit.me/v3/watchlists/", json={"kind": "sanctions"})
"""


def test_names_that_no_source_has_are_named_once_and_options_change_them(record, tmp_path):
    options = ["--door", "--vendor", "didit", "--max-calls", "1", "--record"]
    done = record(*options, "first.json", program=UNKNOWN)
    assert "(--hide NAME): watchlists\n" in done.stderr
    text = (tmp_path / "first.json").read_text()
    assert "/v3/watchlists/" in text
    assert "sanctions" not in text
    done = record(*options, "kept.json", "--keep", "kind", program=UNKNOWN)
    assert "sanctions" in (tmp_path / "kept.json").read_text()
    done = record(*options, "hidden.json", "--hide", "watchlists", program=UNKNOWN)
    assert "watchlists" not in done.stderr + (tmp_path / "hidden.json").read_text()


def test_program_that_makes_no_call_leaves_no_file(record, tmp_path):
    options = ["--door", "--vendor", "didit", "--record", "out.json", "--max-calls", "1"]
    done = record(*options, program="raise SystemExit(3)")
    assert done.returncode == 3
    assert "No call was recorded" in done.stderr
    assert list(tmp_path.glob("*.json")) == []


#: Calls the URL that `facematch mock` printed.
LOCAL = """
import requests
print(requests.post({url!r} + "/api/v1/verification/verify").status_code)
"""


def test_server_of_ones_own_is_recorded_at_the_mocks_port(tmp_path, vendor):
    line = [*FACEMATCH, "mock", "--vendor", "compreface", "--record", "out.json"]
    line += ["--max-calls", "2", "--upstream", vendor.url]
    server = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    with server:
        url = server.stdout.readline().strip()
        program = [sys.executable, "-c", LOCAL.format(url=url)]
        done = subprocess.run(program, capture_output=True, text=True, check=True)
        server.terminate()
        _, said = server.communicate(timeout=240)
    assert done.stdout == "400\n"  # the second mock's answer to a call without a key
    assert said.startswith("REAL CALLS: up to 2 calls")
    (mapping,) = json.loads((tmp_path / "out.json").read_text())["mappings"]
    assert mapping["metadata"]["host"] == "127.0.0.1"
    assert mapping["metadata"]["vendor"] == "compreface"


RECORD = ["--record", "out.json", "--max-calls", "3"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--door", *RECORD], "--vendor"),
        (["--door", "--vendor", "didit", "--record", "out.json"], "--max-calls"),
        (["--vendor", "didit", *RECORD], "--door"),
        (
            ["--vendor", "didit", "--vendor", "azure", "--upstream", "http://127.0.0.1:1", *RECORD],
            "--door",
        ),
        (["--door", "--vendor", "compreface", *RECORD], "--upstream"),
        (["--door", "--any-key", "--vendor", "didit", *RECORD], "--any-key"),
        (["--door", "--host", "0.0.0.0", "--vendor", "didit", *RECORD], "--host"),
        (["--door", "--vendor", "didit", *RECORD, "--upstream", "no-url"], "--upstream"),
        (
            ["--door", "--vendor", "didit", "--record", "no/out.json", "--max-calls", "3"],
            "no/out.json",
        ),
        (["--door", "--vendor", "didit", "--max-calls", "3"], "--record"),
        (["--door", "--vendor", "didit", "--keep", "status"], "--record"),
    ],
)
def test_recording_is_refused_before_a_call(options, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        facematch.main(["mock", *options, "--", sys.executable, "-c", "print('started')"])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert named in printed.err
    assert "started" not in printed.out
    assert list(tmp_path.iterdir()) == []


def test_shell_with_the_variables_of_a_door_is_refused(record, vendor):
    environment = {"FACEMATCH_DOOR_PORT": "1"}
    options = ["--door", "--vendor", "didit", "--record", "out.json", "--max-calls", "1"]
    assert record(*options, environment=environment).returncode == 2
    assert vendor.control.journal() == ()


def test_no_environment_variable_records(record, vendor, tmp_path):
    values = {"record": "out.json", "max_calls": "9", "upstream": vendor.url, "vendor": "didit"}
    environment = {}
    for parameter in command.params:
        is_recording = parameter.name in ("record", "max_calls", "upstream", "keep")
        if isinstance(parameter, click.Option) and (is_recording or parameter.name in values):
            environment[f"FACEMATCH_MOCK_{parameter.name.upper()}"] = values.get(
                parameter.name, "1"
            )
    for name in ("RECORD", "MAX_CALLS", "UPSTREAM", "HIDE", "KEEP", "DOOR"):
        environment.setdefault(f"FACEMATCH_MOCK_{name}", "1")
        environment.setdefault(f"FACEMATCH_{name}", "1")
    line = [*FACEMATCH, "mock", "--", sys.executable, "-c", PROGRAM, vendor.live_key]
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )
    assert done.stdout.startswith("200\n")
    assert "REAL CALLS" not in done.stderr
    assert vendor.control.journal() == ()
    assert list(tmp_path.iterdir()) == []
