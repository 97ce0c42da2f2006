"""`facematch mock`: what it prints, what it serves, and how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess

import attrs
import click
import pytest
import requests
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from kit.mock_world import P1
from vendors.didit import post_match

from facematch_core.cli.app import facematch
from facematch_mock_server import MockServer, cli
from facematch_mock_server.cli import command, read_pairs
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world.vendor import choose_each

MATCH = "/v3/face-match/"


@pytest.fixture
def serve(monkeypatch, capsys):
    """Serves in this process while ``during(url, printed)`` runs, in place of the wait."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(during, *arguments, **settings):
        seen = []

        def wait(_signals):
            printed = capsys.readouterr().out
            seen.append(printed)
            # With a door, variables are printed for a shell in place of the address.
            variable = re.search(r"(?m)^export FACEMATCH_MOCK_URL=(.+)$", printed)
            during(variable[1] if variable else printed.partition("\n")[0], printed)

        with monkeypatch.context() as patch:
            patch.setattr(cli, "wait_for_sigterm", wait)
            for name, value in settings.items():
                patch.setenv(name, value)
            facematch.main(["mock", *map(str, arguments)], standalone_mode=False)
        assert len(seen) == 1

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def invoke(monkeypatch):
    """Runs a command that is to serve nothing; if it did, it would end at once."""
    monkeypatch.setattr(cli, "wait_for_sigterm", lambda _signals: None)
    return lambda *arguments: CliRunner().invoke(facematch, ["mock", *arguments])


def get(url, path="", timeout=10, **more):
    return requests.get(f"{url}/__mock__/{path}", timeout=timeout, **more)


@pytest.mark.parametrize("greeting", [(), ("keys: mine",)], ids=["none", "no command"])
def test_vendor_needs_no_greeting_and_no_example_command(serve, monkeypatch, greeting):
    plain = attrs.evolve(vendor_named("compreface"), greeting=greeting)
    monkeypatch.setattr("facematch_mock_server.server.vendor_named", lambda _name: plain)
    (shown,) = greeting or (f"keys: {', '.join(plain.first_keys)}",)
    during = lambda _url, printed: printed.index(f"\n{shown}\nscores by cards")  # noqa: E731
    serve(during, "--vendor", "compreface")


def test_two_vendors_each_print_their_keys_and_a_curl_command(serve, tmp_path):
    (tmp_path / "cards").mkdir()
    for name in ("p1.png", "p1-again.png"):
        (tmp_path / "cards" / name).write_bytes(P1)

    def during(url, printed):
        assert post_match(url, "my-own-key-1").status_code == 200
        headers = {"Authorization": "Bearer x", "x-api-key": "my-own-key-1"}
        assert requests.post(f"{url}/v1/facematch", headers=headers, timeout=10).status_code == 403
        assert "didit\nkeys: mock-live-key (live), mock-sandbox-key" in printed
        assert "\nprice_liveness=0.07, scores by cards" in printed
        assert "\ndeepvue.price_match=0.05, price_liveness=0.07, scores by cards" in printed
        assert "deepvue\nkeys: client id mock-client, client secret mock-live-key" in printed
        curls = [line for line in printed.splitlines() if line.strip().startswith("curl")]
        assert [curl.split()[-1] for curl in curls] == [url + MATCH, url + "/v1/facematch"]
        if shutil.which("curl") is None:
            pytest.skip("there is no curl: the commands to paste NOT TESTED")
        for curl, answered in zip(curls, ('"Approved"', '"match":true'), strict=True):
            pasted = subprocess.check_output(["sh", "-c", curl], text=True, cwd=tmp_path)
            assert answered in pasted

    vendors = ("--vendor", "didit", "--vendor", "deepvue")
    switches = ("--switch", "deepvue.price_match=0.05", "--switch", "price_liveness=0.07")
    serve(during, *vendors, *switches, "--key", "my-own-key-1")


def test_call_that_the_mock_lacks_is_named_once_on_standard_error(serve, capsys):
    def during(url, _printed):
        for _ in range(2):
            assert requests.get(f"{url}/v3/lists/", timeout=10).status_code == 404
            assert requests.get(f"{url}/v3/listz/", timeout=10).status_code == 404
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("Didit has /v3/lists; this mock does not imitate it")

    serve(during)


@pytest.mark.parametrize(
    ("vendors", "below"), [(["stripe"], "/__mock__/"), (["didit", "stripe"], "/__mock__/VENDOR/")]
)
def test_control_address_asks_for_the_vendor_if_there_are_several(serve, vendors, below):
    def during(url, printed):
        assert f"\ncontrol: {url}{below}\n" in printed

    serve(during, *[word for vendor in vendors for word in ("--vendor", vendor)])


def test_non_loopback_host_generates_and_prints_a_control_token(serve):
    def during(url, printed):
        (token,) = re.findall(r"^control token: (\S+)", printed, re.MULTILINE)
        assert len(token) > 20
        assert f"console: {url}/#token={token}\n" in printed

    serve(during, "--host", "0.0.0.0")


def test_given_control_token_is_required_and_not_printed(serve, tmp_path):
    (tmp_path / "token").write_text("a-long-token-1\n")

    def during(url, printed):
        sent = [{"X-Mock-Token": "a-long-token-1"}, {"X-Mock-Token": "another-token"}, {}]
        assert [get(url, headers=headers).status_code for headers in sent] == [200, 403, 403]
        assert printed.splitlines()[1] == f"console: {url}/"
        assert "a-long-token-1" not in printed

    serve(during, FACEMATCH_MOCK_CONTROL_TOKEN="a-long-token-1")
    serve(during, "--host", "0.0.0.0", "--control-token-file", tmp_path / "token")


#: What a container is given, and the options that say the same.
SETTINGS = {
    "FACEMATCH_MOCK_VENDOR": "didit deepvue",
    "FACEMATCH_MOCK_SWITCH": "deepvue.price_match=0.05 didit.price_match=0.20",
    "FACEMATCH_MOCK_LATENCY": "match=0.001 liveness=0.002",
    "FACEMATCH_MOCK_KEY": "my-own-key-1 my-own-key-2",
    "FACEMATCH_MOCK_CONTROL_TOKEN": "a-long-token-1",
    "FACEMATCH_MOCK_CONTROL_TOKEN_FILE": "",
    "FACEMATCH_MOCK_SEED": "7",
    "FACEMATCH_MOCK_DELIVER_TO": "web other",
    "FACEMATCH_MOCK_SHOW_PICTURES": "1",
    "FACEMATCH_MOCK_PERSON_PAGE": "1",
    "FACEMATCH_MOCK_PICTURE": "photos/p1.png=p1 https://cdn.example/a?id=7=p2",
    "FACEMATCH_MOCK_REPLIES": "{folder}/own.json",
    "FACEMATCH_MOCK_PORT": "0",
    "FACEMATCH_MOCK_HOST": "127.0.0.1",
    "FACEMATCH_MOCK_ENGINE": "cards",
    "FACEMATCH_MOCK_DOOR": "1",
    "FACEMATCH_MOCK_DOOR_PORT": "0",
    "FACEMATCH_MOCK_CA_FOLDER": "{folder}/ca",
    "FACEMATCH_MOCK_DOOR_HOST": "didit.corp.example=didit",
    "FACEMATCH_MOCK_ALLOW_HOST": "db.example.com",
    "FACEMATCH_MOCK_LINKS": "loopback",
    "FACEMATCH_MOCK_ANY_KEY": "1",
}


def test_every_option_that_costs_no_money_can_be_set_in_the_environment(serve, tmp_path):
    (tmp_path / "own.json").write_text('{"request": {"urlPath": "/x"}, "response": {}}')
    options = [option for option in command.params if isinstance(option, click.Option)]
    options = [option for option in options if option.allow_from_autoenv]
    names = {option.opts[0][2:].upper().replace("-", "_") for option in options}
    # The token is no option: every user of the machine sees a command's arguments.
    names.add("CONTROL_TOKEN")
    variables = {f"FACEMATCH_MOCK_{name}" for name in names}
    assert variables == SETTINGS.keys(), "SETTINGS has each option as its variable: add a new one"

    def during(url, _printed):
        token = {"headers": {"X-Mock-Token": "a-long-token-1"}, "timeout": 10}
        assert get(url, **token).json()["vendors"] == ["didit", "deepvue"]
        for key in ("my-own-key-1", "my-own-key-2"):
            assert post_match(url, key).status_code == 200
        assert get(url, "ledger", **token).json()["balance"] == "99.6000"
        assert get(url, "latency", **token).json() == {"match": 0.001, "liveness": 0.002}
        hook = {"url": "http://other:8000/"}
        assert requests.post(f"{url}/__mock__/webhooks/destinations", json=hook, **token).ok
        names = ["photos/p1.png", "https://cdn.example/a?id=7"]
        assert get(url, "pictures", **token).json() == {"pictures": names}
        (reply,) = get(url, "replies", **token).json()["replies"]
        assert reply["source"] == "own.json #1"
        assert get(url, "console/about", **token).json()["show_pictures"] is True

    serve(during, **{name: text.format(folder=tmp_path) for name, text in SETTINGS.items()})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "own.json line 1"),
        ('{"request": {"cookies": 1}, "response": {}}', "own.json #1 request.cookies"),
    ],
)
def test_wrong_replies_are_refused_at_the_start(invoke, tmp_path, text, words):
    (tmp_path / "own.json").write_text(text)
    answer = invoke("--replies", str(tmp_path / "own.json"))
    assert answer.exit_code == 2
    assert words in answer.stderr


def test_count_of_replies_is_printed_at_the_start(serve, tmp_path):
    mapping = {"request": {"urlPath": "/x"}, "response": {}}
    recorded = {**mapping, "metadata": {"recorded": "2026-11-29"}}
    (tmp_path / "own.json").write_text(json.dumps({"mappings": [mapping, recorded]}))

    def during(url, printed):
        assert requests.get(f"{url}/x", timeout=10).ok
        assert "1 own, 1 recorded" in printed

    serve(during, "--replies", tmp_path / "own.json")


@pytest.mark.parametrize(
    ("token", "words", "message"),
    [
        ("short", [], "token"),
        ("a-long-token-1", ["--control-token-file", os.devnull], "not both"),
    ],
)
def test_an_unusable_token_of_the_environment_is_refused(
    invoke, monkeypatch, token, words, message
):
    monkeypatch.setenv("FACEMATCH_MOCK_CONTROL_TOKEN", token)
    answer = invoke(*words)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert token not in answer.stderr


@given(words=st.lists(st.text(max_size=8) | st.text(max_size=4).map("get_limit=".__add__)))
def test_any_switch_text_is_parsed_or_rejected(words):
    kind = vendor_named("didit")
    try:
        (chosen,) = choose_each([kind], read_pairs("switch", words)).values()
    except ValueError:
        return
    assert len(chosen.set_by_user) == len(words)


def test_switch_values_are_case_insensitive():
    assert vendor_named("didit").choose({"in_review": "TRUE"}).switch_values["in_review"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vendor", "nobody"], "nobody"),
        (["--vendor", "aws"], "did you mean rekognition?"),
        (["--vendor", "sumsub,veriff"], "--vendor NAME --vendor NAME"),
        (["--switch", "in_reviw=true"], "did you mean in_review?"),
        (["--switch", "in_review"], "must be NAME=VALUE"),
        (["--switch", "in_review=true", "--switch", "in_review=false"], "given twice"),
        (["--switch", "in_review=up"], "takes False or True, not 'up'"),
        (["--switch", "price_match=0.00001"], "at most four decimals"),
        (["--latency", "document=1"], "no operation document; the operations are match, liveness"),
        (["--latency", "match=3601"], "seconds from 0 to 3600"),
        (["--port", "70000"], "70000"),
        (
            ["--deliver-to", "a b"],
            "The host 'a b' of deliver_to is no name of a host and no address: write it without",
        ),
        (["--deliver-to", "http://web:8000/hook"], "without a scheme, a port or a path"),
        (["--deliver-to", "web:8000"], "The host 'web:8000' of deliver_to"),
        (["--picture", "p1.png"], "--picture must be NAME=VALUE"),
        (["--picture", "photos/p1.png=p9"], "'p9' cannot be read (No such file or directory)"),
        (["--key", ""], "key"),
        (["--control-token-file", os.devnull], "token"),
        (["--any-key"], "--any-key needs --door"),
        (["--door-host", "a.example=didit"], "--door-host needs --door"),
        (["--", "true"], "COMMAND needs --door"),
        (["--door", "--door-host", "a.example"], "must be NAME=VALUE"),
        (["--door", "--door-host", "a.example=nosuch"], "Unknown vendor nosuch"),
        (
            ["--vendor", "didit", "--door", "--door-host", "a.example=azure"],
            "a.example belongs to azure",
        ),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else None,
)
def test_invalid_option_is_reported_without_a_traceback(invoke, arguments, words):
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_occupied_port_is_reported_without_a_traceback(invoke):
    with MockServer() as other:
        port = other.port
        done = invoke("--port", str(port))
    assert done.exit_code == 4
    assert "Traceback" not in done.stderr
    assert f"Port {port} is in use: name another one with --port" in done.stderr


def test_help_lists_each_option_once_under_one_of_five_titles(invoke):
    """Under the title that says what it is for; a new option is under that of the one before it."""
    printed = invoke("-h").stdout
    parts = re.findall(r"(?m)^([A-Z][a-z ]+):\n((?:  .+\n|\n)+)", f"{printed}\n")
    options = {title: re.findall(r"(?m)^  (?:-h, )?--([a-z-]+)", part) for title, part in parts}
    assert list(options) == ["Serve", "People and pictures", "Door", "Record", "Safety"]
    for title, name in (
        ("Serve", "help"),
        ("People and pictures", "engine"),
        ("Door", "any-key"),
        ("Record", "max-calls"),
        ("Safety", "deliver-to"),
    ):
        assert name in options[title]
    listed = [name for names in options.values() for name in names]
    declared = [option.opts[0] for option in command.params if isinstance(option, click.Option)]
    assert sorted(f"--{name}" for name in listed) == sorted(["--help", *declared])
