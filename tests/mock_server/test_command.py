"""`facematch mock` as a process: what it prints, what it serves, and how it ends."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from decimal import Decimal

import pytest
import requests
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.cli.app import facematch
from facematch_mock_server import card_sheet
from facematch_mock_server.cli import command, read_switches
from facematch_mock_server.vendors import vendor_named

FACEMATCH = (sys.executable, "-c", "from facematch_core.cli import main; main()")
P1 = card_sheet()["p1"].data
MATCH = "/v3/face-match/"
USAGE, CONFIGURATION, STOPPED = 2, 4, 130
#: What a shell says of a command that is not there.
NO_CURL = 127


def environment(**more):
    """The environment of a process, with nobody's settings in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FACEMATCH")}
    return kept | {"NO_COLOR": "1", "COLUMNS": "100"} | more


@contextlib.contextmanager
def started(*arguments, **more):
    """A server in a process of its own, and its address; it is ended with Ctrl-C."""
    process = subprocess.Popen(
        [*FACEMATCH, "mock", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
    )
    try:
        url = process.stdout.readline().strip()
        yield process, url
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def run(*arguments, **more):
    """A command to its end."""
    return subprocess.run(
        [*FACEMATCH, "mock", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(**more),
    )


@pytest.fixture
def invoke():
    """Runs a command in this process, for what serves nothing."""
    return lambda *arguments: CliRunner().invoke(facematch, ["mock", *arguments])


def post(url, key):
    """A comparison, as any program makes it."""
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
    return requests.post(url + MATCH, headers={"x-api-key": key}, files=files, timeout=10)


def test_it_tells_at_once_what_a_person_needs():
    """The address alone on the first line; then keys, a command to paste, and the control API."""
    with started("--key", "my-own-key-1", "--seed", "7") as (process, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        for key in ("mock-live-key", "mock-sandbox-key", "my-own-key-1"):
            assert post(url, key).status_code == 200
        assert post(url, "another-key").status_code == 403
        ledger = requests.get(f"{url}/__mock__/ledger", timeout=10).json()
        assert [entry["what"] for entry in ledger["entries"]] == ["FACE_MATCH"] * 2
        process.send_signal(signal.SIGINT)
        # Not communicate(): what came with the first line is in the buffer of the stream.
        printed = process.stdout.read()
        assert process.wait(timeout=20) == STOPPED
        assert process.stderr.read() == "stopped\n"
    assert "mock-live-key (live), mock-sandbox-key (sandbox" in printed
    assert f"control: {url}/__mock__/" in printed
    assert "scored by their bytes; --engine local compares faces" in printed
    (curl,) = (line for line in printed.splitlines() if line.strip().startswith("curl"))
    words = shlex.split(curl)
    assert words[-1] == url + MATCH
    assert {"x-api-key: mock-live-key", "user_image=@cards/p1.png"} <= set(words)


def test_it_ends_when_it_is_told_to_while_a_client_is_connected():
    """SIGTERM, with a connection open: exit code 0, no trace, and the port is free."""
    with started() as (process, url), requests.Session() as session:
        session.get(url, timeout=10)
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)
        assert (process.returncode, complaints) == (0, "")
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=10)


def test_without_control_and_in_another_edition():
    """The vendor alone, as its documents of early 2026 have it."""
    with started("--no-control", "--edition", "2026-03", "--vendor", "didit") as (_, url):
        assert requests.get(f"{url}/__mock__/", timeout=10).status_code == 404
        answer = post(url, "mock-live-key")
        assert isinstance(answer.json()["face_match"]["score"], int)
        assert "vendor_data" not in answer.json()
        assert post(url, "wrong").status_code == 401


def test_switches():
    """Single behaviours apart from the edition; the greeting names them."""
    words = ("--switch", "echo_fields=false", "--switch", "price_match=0.20")
    with started(*words) as (process, url):
        assert "vendor_data" not in post(url, "mock-live-key").json()
        assert requests.get(f"{url}/__mock__/ledger", timeout=10).json()["balance"] == "99.8000"
        process.send_signal(signal.SIGINT)
        assert "edition 2026-07, echo_fields=false, price_match=0.20," in process.stdout.read()


def test_two_vendors():
    """One port; of each its keys and a command that works as it is pasted."""
    vendors = ("--vendor", "didit", "--vendor", "deepvue")
    switches = ("--switch", "deepvue.bad_token=401", "--switch", "expiry=24hrs")
    editions = ("--edition", "2026-03", "--edition", "deepvue=2026-11")
    with started(*vendors, *switches, *editions, "--key", "my-own-key-1") as (process, url):
        assert isinstance(post(url, "my-own-key-1").json()["face_match"]["score"], int)
        pair = {"client_id": "mock-client", "client_secret": "my-own-key-1"}
        answer = requests.post(f"{url}/v1/authorize", data=pair, timeout=10)
        assert answer.json()["expiry"] == "24hrs"
        headers = {"Authorization": "Bearer x", "x-api-key": "my-own-key-1"}
        assert requests.post(f"{url}/v1/facematch", headers=headers, timeout=10).status_code == 401
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
    assert "didit\nkeys: mock-live-key (live), mock-sandbox-key" in printed
    assert "edition 2026-11, deepvue.bad_token=401, expiry=24hrs, scores by cards" in printed
    assert "deepvue\nkeys: client id mock-client, client secret mock-live-key" in printed
    curls = [line for line in printed.splitlines() if line.strip().startswith("curl")]
    assert [curl.split()[-1] for curl in curls] == [url + MATCH, url + "/v1/facematch"]
    assert f"-d client_id=mock-client -d client_secret=mock-live-key {url}/v1/authorize" in curls[1]


def test_the_command_to_paste_works(tmp_path):
    """The one of Deepvue asks for a token and uses it at once."""
    (tmp_path / "cards").mkdir()
    for name in ("p1.png", "p1-again.png"):
        (tmp_path / "cards" / name).write_bytes(P1)
    with started("--vendor", "deepvue") as (process, url):
        process.send_signal(signal.SIGINT)
        curl = next(line for line in process.stdout if line.strip().startswith("curl"))
    with started("--vendor", "deepvue") as (_, again):
        done = subprocess.run(
            curl.replace(url, again),
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            cwd=tmp_path,
        )
    if done.returncode == NO_CURL:
        pytest.skip("there is no curl")
    assert '"match":true' in done.stdout


def test_every_switch_can_be_typed():
    """Each value of each switch, and each kind of number, is read as what it is."""
    kind = vendor_named("didit")
    for name, values in kind.switches.items():
        for value in values:
            for typed in (f"{name}={value}", f"{name}={str(value).lower()}"):
                read = read_switches([kind], [typed])
                assert read == {name: value}
                assert type(read[name]) is type(value)
                kind.choose("2026-07", read)
    typed = (
        "get_limit=none",
        "write_limit=0",
        "size_limit_bytes=9",
        "media_ttl_s=60",
        "start_credit=0.1",
    )
    assert read_switches([kind], typed) == {
        "get_limit": None,
        "write_limit": 0,
        "size_limit_bytes": 9,
        "media_ttl_s": 60,
        "start_credit": Decimal("0.1"),
    }
    other = vendor_named("deepvue")
    assert read_switches([other], ["match_from=70.5"]) == {"match_from": 70.5}
    known = {number for one in (kind, other) for _, number in one.settings.values()}
    assert known == {"count", "limit", "seconds", "amount", "score"}


@given(words=st.lists(st.text(max_size=8) | st.text(max_size=4).map("get_limit=".__add__)))
def test_any_words_are_switches_or_refused(words):
    """What is read fits; everything else is a ValueError."""
    kind = vendor_named("didit")
    try:
        read = read_switches([kind], words)
        bare = {name.removeprefix("didit."): value for name, value in read.items()}
    except ValueError:
        return
    kind.choose("2026-07", bare)
    assert len(read) == len(words)


def test_latency():
    """What was typed is in force; a second one beside the first."""
    latencies = ("--latency", "liveness=0.001", "--latency", "match=0-0.002")
    with started(*latencies) as (_, url):
        told = requests.get(f"{url}/__mock__/latency", timeout=10).json()
        assert post(url, "mock-live-key").status_code == 200
    assert told == {"liveness": [0.001, 0.001], "match": [0.0, 0.002]}


def test_its_clock_runs():
    """Unlike that of a test: two answers do not have one time."""
    with started() as (_, url):
        times = {post(url, "mock-live-key").json()["created_at"] for _ in range(2)}
    assert len(times) == 2


def test_a_token_guards_control():
    """For those who let other machines in."""
    with started("--control-token", "a-long-token-1") as (_, url):
        assert requests.get(f"{url}/__mock__/", timeout=10).status_code == 403
        headers = {"X-Mock-Token": "a-long-token-1"}
        assert requests.get(f"{url}/__mock__/", headers=headers, timeout=10).status_code == 200


def test_beyond_this_machine_a_token_is_made(tmp_path):
    """And printed, with a link that has it; one from a file is asked for, and not printed."""
    with started("--host", "0.0.0.0") as (process, url):
        process.send_signal(signal.SIGTERM)
        printed = process.stdout.read()
    (token,) = re.findall(r"^control token: (\S+)", printed, re.MULTILINE)
    assert len(token) > 20
    assert f"console: {url}/#token={token}\n" in printed
    (tmp_path / "token").write_text("a-long-token-1\n")
    with started("--host", "0.0.0.0", "--control-token-file", tmp_path / "token") as (process, url):
        statuses = [
            requests.get(f"{url}/__mock__/", headers={"X-Mock-Token": text}, timeout=10).status_code
            for text in ("a-long-token-1", "another-token")
        ]
        process.send_signal(signal.SIGTERM)
        assert "a-long-token-1" not in process.stdout.read()
    assert statuses == [200, 403]


#: What a container is given, and the options that say the same.
SETTINGS = {
    "FACEMATCH_MOCK_VENDOR": "didit deepvue",
    "FACEMATCH_MOCK_EDITION": "2026-03 deepvue=2026-11",
    "FACEMATCH_MOCK_SWITCH": "deepvue.bad_token=401 price_match=0.20",
    "FACEMATCH_MOCK_LATENCY": "match=0.001 liveness=0-0.002",
    "FACEMATCH_MOCK_KEY": "my-own-key-1 my-own-key-2",
    "FACEMATCH_MOCK_CONTROL_TOKEN": "a-long-token-1",
    "FACEMATCH_MOCK_CONTROL_TOKEN_FILE": "",
    "FACEMATCH_MOCK_SEED": "7",
    "FACEMATCH_MOCK_DELIVER_TO": "web other",
    "FACEMATCH_MOCK_SHOW_PICTURES": "1",
    "FACEMATCH_MOCK_PORT": "0",
    "FACEMATCH_MOCK_HOST": "127.0.0.1",
    "FACEMATCH_MOCK_ENGINE": "cards",
    "FACEMATCH_MOCK_NO_CONTROL": "0",
    "FACEMATCH_MOCK_OPEN": "false",
}


def test_what_is_set_in_the_environment():
    """Every option can be; several values with spaces between; an empty one is none."""
    options = {name for option in command.params for name in option.opts}
    named = {f"--{name[15:].lower().replace('_', '-')}" for name in SETTINGS}
    assert named == options
    with started(**SETTINGS) as (_, url):
        session = requests.Session()
        session.headers["X-Mock-Token"] = "a-long-token-1"
        overview = session.get(f"{url}/__mock__/", timeout=10).json()
        assert (overview["vendors"], overview["edition"]) == (["didit", "deepvue"], "2026-03")
        assert post(url, "my-own-key-1").status_code == post(url, "my-own-key-2").status_code == 200
        assert session.get(f"{url}/__mock__/ledger", timeout=10).json()["balance"] == "99.6000"
        latency = session.get(f"{url}/__mock__/latency", timeout=10).json()
        assert latency == {"match": [0.001, 0.001], "liveness": [0.0, 0.002]}
        hook = {"url": "http://other:8000/"}
        made = session.post(f"{url}/__mock__/webhooks/destinations", json=hook, timeout=10)
        assert made.status_code == 200
        about = session.get(f"{url}/__mock__/console/about", timeout=10).json()
        assert about["show_pictures"] is True


def test_an_option_goes_before_the_environment():
    """And a wrong value there is refused as an option is."""
    with started("--edition", "2026-11", FACEMATCH_MOCK_EDITION="2026-03") as (_, url):
        assert requests.get(f"{url}/__mock__/", timeout=10).json()["edition"] == "2026-11"
    done = run(FACEMATCH_MOCK_PORT="tcp://10.0.0.1:8080")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "tcp://10.0.0.1:8080" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vendor", "nobody"], "nobody"),
        (["--vendor", "didit", "--vendor", "didit"], "named twice"),
        (["--edition", "2020-01"], "2026-07"),
        (["--edition", "2026-03", "--edition", "2026-07"], "editions are given for didit"),
        (["--edition", "acme=1"], "no vendor acme"),
        (["--switch", "acme.boundary=inclusive"], "no vendor acme"),
        (["--switch", "didit.plan=none"], "no switch plan"),
        (["--engine", "telepathy"], "telepathy"),
        (["--switch", "boundry=inclusive"], "did you mean boundary?"),
        (["--switch", "horoscope=1"], "there are auth_errors, boundary"),
        (["--switch", "boundary=up"], "takes inclusive or exclusive, not 'up'"),
        (["--switch", "echo_fields=1"], "takes false or true, not '1'"),
        (["--switch", "get_limit=-1"], "a whole number from 0, or none"),
        (["--switch", "size_limit_bytes=none"], "a whole number from 1"),
        (["--switch", "price_match=0.00001"], "at most four decimals"),
        (["--switch", "boundary"], "NAME=VALUE"),
        (["--switch", "boundary=inclusive", "--switch", "boundary=exclusive"], "given twice"),
        (["--latency", "document=1"], "no operation document here; there are match, liveness"),
        (["--latency", "match=soon"], "seconds, or the least and the most as in 0.8-2.5"),
        (["--latency", "match=-1"], "seconds, or the least and the most as in 0.8-2.5"),
        (["--latency", "match=1-2-3"], "seconds, or the least and the most as in 0.8-2.5"),
        (["--latency", "match=3601"], "from 0 to 3600 seconds"),
        (["--latency", "match=2-1"], "or the least and the most"),
        (["--latency", "match"], "--latency must be NAME=VALUE"),
        (["--port", "70000"], "70000"),
        (["--port", "many"], "many"),
        (["--key", ""], "key"),
        (["--control-token", "short"], "token"),
        (["--control-token-file", "nowhere/token"], "No such file"),
        (["--control-token-file", os.devnull], "token"),
        (["--control-token", "a-long-token-1", "--control-token-file", os.devnull], "not both"),
        (["--no-control", "--open"], "leaves the console out"),
        (["--hots", "127.0.0.1"], "--host"),
        (["explain", "didit.no.such.claim"], "didit.no.such.claim"),
        (["explian"], "explain"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else None,
)
def test_a_wrong_command_is_refused_in_a_sentence(invoke, arguments, words):
    """Exit code 2, nothing on the standard output, no trace."""
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (USAGE, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_explain(invoke):
    """Without a name all claims; with one what it says, and how it is known."""
    names = invoke("explain").stdout.split()
    assert len(names) == len(set(names)) > 50
    for name in names[:: len(names) // 5]:
        done = invoke("explain", name)
        assert done.exit_code == 0
        assert name in done.stdout
        assert re.search(r"documented|observed|framework|ours", done.stdout)


BLOCKED = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name={missing!r})

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("missing", ["httptools"])
def test_without_the_extra_it_says_what_to_install(tmp_path, missing):
    """One sentence and the exit code of an incomplete installation."""
    (tmp_path / "sitecustomize.py").write_text(BLOCKED.format(missing=missing))
    done = run(PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (CONFIGURATION, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert missing in done.stderr
    assert 'pip install "facematch-core[mock]"' in done.stderr


def test_a_port_that_is_taken_is_told_in_a_sentence():
    """Not by a trace."""
    with started() as (_, url):
        done = run("--port", url.rpartition(":")[2])
    assert done.returncode == CONFIGURATION
    assert "Traceback" not in done.stderr
    assert "in use" in done.stderr


def test_help_names_every_option(invoke):
    """What the documentation lists can be asked for; and that the environment can say it."""
    done = invoke("--help")
    assert done.exit_code == 0
    for option in ("--vendor", "--edition", "--engine", "--key", "--no-control", "--latency"):
        assert option in done.stdout
    assert {"--port PORT", "--switch NAME=VALUE"} <= set(re.findall(r"--\w+ [A-Z=]+", done.stdout))
    assert "RANGE" not in done.stdout
    assert "..." not in done.stdout.partition("Options:")[2]
    assert {"explain", "FACEMATCH_MOCK_PORT"} <= set(done.stdout.split())
