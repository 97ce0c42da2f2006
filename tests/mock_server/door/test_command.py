"""`facematch mock --door -- COMMAND`, and the variables that the door prints."""

import os
import shlex
import signal
import subprocess
import sys

import pytest
import requests

from facematch_core.cli.app import facematch
from facematch_mock_server import MockServer
from facematch_mock_server.door import Door
from facematch_mock_server.door.command import run_command
from facematch_mock_server.door.variables import variables_for
from facematch_mock_server.world.variables import Variables

FACEMATCH = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
ASK = """
import urllib.request
with urllib.request.urlopen("https://verification.didit.me/system/healthcheck") as answer:
    print(answer.status)
raise SystemExit(7)
"""


def test_command_reaches_the_mock_and_its_output_and_exit_code_are_its_own():
    command = [*FACEMATCH, "mock", "--door", "--", sys.executable, "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert (done.returncode, done.stdout) == (7, "200\n")
    assert done.stderr.startswith("http://127.0.0.1:")
    # Nobody named a vendor, so the keys of none are printed before one refuses a key.
    assert "mock-live-key" not in done.stderr
    # The program's pictures are no test cards.
    assert "--engine local compares faces" in done.stderr
    # Nobody can paste a call or press Ctrl-C before the server ends.
    assert "curl" not in done.stderr
    assert "Ctrl-C" not in done.stderr


def run_behind_a_door(options, program):
    command = [*FACEMATCH, "mock", "--door", *options, "--", sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


#: A client that ignores proxies.
CONNECT = """
import socket
for host in {hosts!r}:
    try:
        socket.create_connection((host, 443))
    except OSError as error:
        print(error.args[1])
"""
CALL = """
import urllib.error, urllib.request
try:
    own_key = {{"Authorization": "Bearer the-programs-own-key"}}
    urllib.request.urlopen(urllib.request.Request({url!r}, headers=own_key))
except urllib.error.URLError as error:
    print(getattr(error, "code", error.reason))
"""


DEMO = """
with urllib.request.urlopen("https://faceapi.regulaforensics.com/api/healthz") as answer:
    print(answer.status)
"""


def test_without_a_vendor_all_are_taken_and_each_prints_its_keys_when_it_refuses_one():
    call = CALL.format(url="https://api.withpersona.com/api/v1/inquiries")
    done = run_behind_a_door([], call + DEMO)
    assert (done.returncode, done.stdout) == (0, "401\n200\n")
    assert "The mock of Persona refused" in done.stderr
    assert done.stderr.count("mock-live-key") == 1


PRINT = """
import os
for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SESSION_TOKEN", "FACE_ENDPOINT",
             "ONFIDO_API_TOKEN", "ONFIDO_OAUTH_CLIENT_ID"):
    print(name, os.environ.get(name))
"""


@pytest.mark.parametrize("has_token", [True, False])
def test_program_without_keys_gets_the_mocks(monkeypatch, tmp_path, has_token):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in os.environ:
        if name.startswith(("AWS_", "FACE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token" if has_token else "")
    monkeypatch.setenv("ONFIDO_OAUTH_CLIENT_ID", "the-programs-own")
    vendors = ("rekognition", "azure", "onfido")
    done = run_behind_a_door([f"--vendor={vendor}" for vendor in vendors], PRINT)
    values = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert values["AWS_ACCESS_KEY_ID"] == ("None" if has_token else "mock-access-key")
    assert values["AWS_REGION"] == ("None" if has_token else "eu-west-1")
    assert values["FACE_ENDPOINT"].endswith(".cognitiveservices.azure.com")
    assert values["ONFIDO_API_TOKEN"] == "None"
    assert values["ONFIDO_OAUTH_CLIENT_ID"] == "the-programs-own"


@pytest.mark.parametrize("source", ["variable", "file"])
def test_keys_of_a_profile_are_the_programs_own(monkeypatch, tmp_path, source):
    """The mock's would replace them, also for the program's S3."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    if source == "variable":
        monkeypatch.setenv("AWS_PROFILE", "shop")
    else:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "credentials").write_text("[default]\n")
    done = run_behind_a_door(["--vendor=rekognition"], PRINT)
    values = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert (values["AWS_ACCESS_KEY_ID"], values["AWS_REGION"]) == ("None", "None")


def test_program_of_a_user_without_a_home_gets_the_mocks_keys():
    variables = Variables(keys=({"KEY": "of-the-mock"},), other_sources=("~nobody-here/keys",))
    assert variables.values_for_a_program_without_keys({}) == {"KEY": "of-the-mock"}


def test_owner_of_a_door_host_is_served_without_being_named():
    url = "https://faces.corp.example/api/v1/verification/verify"
    done = run_behind_a_door(["--door-host", "faces.corp.example=compreface"], CALL.format(url=url))
    assert done.stdout == "400\n"  # from the mock: a call without a key


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--switch", "sumsub.no_such_switch=1"], 2),
        (["--switch", "persona.workflow=none"], 0),
        (["--vendor", "didit", "--switch", "persona.workflow=none"], 2),
    ],
)
def test_switch_of_a_vendor_that_nobody_named_is_checked_at_the_start(options, status):
    assert run_behind_a_door(options, "print('started')").returncode == status


def test_python_is_refused_in_the_sentences_that_the_door_reports():
    hosts = ["api.sumsub.com", "example.com", "2001:db8::1"]
    done = run_behind_a_door(["--vendor", "didit"], CONNECT.format(hosts=hosts))
    refusals = done.stdout.splitlines()
    for host, refusal in zip(hosts, refusals, strict=True):
        assert refusal in done.stderr
        assert host in refusal
        assert ("--vendor sumsub" if "sumsub" in host else "--door-host") in refusal


@pytest.mark.parametrize(
    "options",
    [
        ["--door-port", "0"],
        ["--ca-folder", "ca"],
        ["--door", "--door-port", "0", "--host", "0.0.0.0", "--allow-host", "db.example.com"],
        ["--door", "--door-port", "0", "--host", "0.0.0.0", "--", "true"],
    ],
)
def test_options_of_a_door_for_other_machines_that_do_not_fit_are_refused(options, capsys):
    with pytest.raises(SystemExit) as ended:
        facematch.main(["mock", "--port", "0", *options])
    assert ended.value.code == 2
    assert "--" in capsys.readouterr().err.partition("error: ")[2]


def test_command_with_a_door_is_unhealthy_until_the_door_listens(monkeypatch):
    statuses = []
    enter = Door.__enter__

    def ask_and_enter(door):
        health = f"{door.server.url}/__mock__/health"
        statuses.append(requests.get(health, timeout=10).status_code)
        enter(door)
        statuses.append(requests.get(health, timeout=10).status_code)
        door.__exit__()
        raise KeyboardInterrupt

    monkeypatch.setattr(Door, "__enter__", ask_and_enter)
    with pytest.raises(SystemExit):
        facematch.main(["mock", "--door"])
    assert statuses == [503, 200]


def test_port_of_the_door_that_another_program_has_is_named(capsys):
    with MockServer() as server, pytest.raises(SystemExit) as ended:
        facematch.main(["mock", "--door", "--door-port", str(server.port)])
    assert ended.value.code == 4
    assert "--door-port" in capsys.readouterr().err


#: Reads the variables in a shell, as a person does, and sets a fault before the program.
BY_HAND = """
{facematch} mock --door --vendor didit > door.env &
mock=$!
until grep -q DOOR_CA=.*pem door.env; do kill -0 $mock || exit 9; sleep 0.1; done
. ./door.env
{python} -c {program}
kill $mock
wait $mock
"""
AFTER_A_FAULT = """
import json, os, urllib.error, urllib.request
url = os.environ["FACEMATCH_MOCK_URL"] + "/__mock__/faults"
fault = json.dumps({"stage": "answer", "kind": "status", "status": 503}).encode()
headers = {"Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, fault, headers))
try:
    urllib.request.urlopen("https://verification.didit.me/v3/face-match/", b"")
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_shell_reads_the_variables_of_a_door_without_a_command(tmp_path):
    script = BY_HAND.format(
        facematch=shlex.join(FACEMATCH),
        python=shlex.quote(sys.executable),
        program=shlex.quote(AFTER_A_FAULT),
    )
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stdout) == (0, "503\n"), done.stderr
    printed = (tmp_path / "door.env").read_text().splitlines()
    assert [line for line in printed if not line.startswith("export ")] == []
    assert "console: http://127.0.0.1:" in done.stderr


def test_command_sets_faults_at_the_address_in_its_environment():
    done = run_behind_a_door(["--vendor", "didit"], AFTER_A_FAULT)
    assert (done.returncode, done.stdout) == (0, "503\n"), done.stderr


@pytest.fixture
def door():
    with MockServer() as server, Door(server) as one:
        yield one


def test_printed_variables_bring_a_program_to_the_mock(door):
    lines = [f"export {n}={shlex.quote(v)}" for n, v in variables_for(door, os.environ).items()]
    script = "\n".join([*lines, f"{shlex.quote(sys.executable)} -c {shlex.quote(ASK)}"])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "200\n")


#: A program that uses facematch, and needs no door: its backend has the URL of the mock.
VERIFY = """
import sys
from facematch_core import open_verifier
from facematch_mock_server import make_card
url, key = sys.argv[1:]
with open_verifier(
    "didit", api_key=key, base_url=url, require_environment="mock"
) as verifier:
    print(verifier.verify(make_card("p1"), make_card("p1", quality=60)).environment)
"""


def test_program_with_the_url_of_the_mock_passes_as_a_mocks_behind_the_door(door):
    server = door.server
    done = subprocess.run(
        [sys.executable, "-c", VERIFY, server.url, server.live_key],
        env={**os.environ, **variables_for(door, os.environ)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "mock\n", "")


def test_variables_with_lists_keep_what_they_have(door):
    before = {
        "NODE_OPTIONS": "--trace-warnings",
        "JAVA_TOOL_OPTIONS": "-Xmx1g",
        "PYTHONPATH": "src",
        "PHP_INI_SCAN_DIR": "/etc/php",
        "RUBYLIB": "lib",
        "RUBYOPT": "-W1",
    }
    after = variables_for(door, before)
    assert after["NODE_OPTIONS"].startswith("--trace-warnings ")
    assert after["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g ")
    assert after["PYTHONPATH"].endswith(f"{os.pathsep}src")
    assert after["PHP_INI_SCAN_DIR"].startswith(f"/etc/php{os.pathsep}")
    assert after["RUBYLIB"].endswith(f"{os.pathsep}lib")
    assert after["RUBYOPT"].startswith("-W1 ")
    assert after["https_proxy"] == after["HTTPS_PROXY"] == door.url
    assert after["NO_PROXY"] == after["no_proxy"] == "localhost,127.0.0.1,::1"


def run(*command):
    return run_command(command, os.environ)


def test_exit_code_of_a_command_that_ends_itself_or_cannot_be_run(tmp_path, capfd):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o700)
    assert run("sh", "-c", "exit 3") == 3
    assert run("sh", "-c", "kill -9 $$") == 128 + 9
    assert run("no-such-program") == 127
    assert run(str(tmp_path / "text")) == 126
    assert "'no-such-program' not found" in capfd.readouterr().err


#: Says when it is ready, and with which signal it ended.
WAIT = """
import signal, sys, time
def end(number, _):
    sys.exit(number + 50)
for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_command(number):
    command = [*FACEMATCH, "mock", "--door", "--", sys.executable, "-c", WAIT]
    # Without a terminal, as in CI: the command gets only what is passed on.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(timeout=240) == number + 50


def test_missing_package_is_named_before_anything_is_served(monkeypatch, capsys):
    for name in ("", ".door", ".authority"):
        monkeypatch.delitem(sys.modules, f"facematch_mock_server.door{name}", raising=False)
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(SystemExit) as ended:
        facematch.main(["mock", "--door"])
    assert ended.value.code not in (0, None)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "The door needs trustme" in printed.err
