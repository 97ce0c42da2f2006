"""`facematch drift didit` on the command line, with mocks on this machine as the vendor."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from canaries import API_KEY
from click.testing import CliRunner

from facematch_core.cli._app import facematch
from facematch_core.cli.common import Exit
from facematch_core.config import trust
from facematch_mock_server import Fault, Kind, MockServer, Stage, make_card
from facematch_mock_server.drift.command import DRIFT, VENDOR

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs" / "reference" / "drift.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A folder with pictures, and no key of anybody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIDIT_API_KEY", raising=False)
    Path("p.png").write_bytes(make_card("p1"))
    Path("r.png").write_bytes(make_card("p1", quality=70))
    Path("o.png").write_bytes(make_card("p2", quality=15, luminance=10, liveness=8))


@pytest.fixture
def mock():
    """A mock of the newest edition."""
    with MockServer(edition="2026-11") as server:
        yield server


def run(*words, code=None, url=None):
    """What the command prints."""
    where = () if url is None else ("--base-url", url)
    words = ("drift", "didit", "--probe", "p.png", "--reference", "r.png", *where, *words)
    ran = CliRunner().invoke(facematch, words, env={"COLUMNS": "100"})
    assert "Traceback" not in ran.output
    assert ran.exit_code == code, ran.output
    return ran


def document(*words, code=0, url=None):
    """The JSON that it prints."""
    printed = json.loads(run("--json", *words, code=code, url=url).stdout)
    VALIDATOR.validate(printed)
    return printed


def test_exit_codes_are_those_of_the_command_line():
    """The table of codes knows them; only the mock's package may not read it."""
    assert (DRIFT, VENDOR) == (Exit.DRIFT, Exit.VENDOR)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "edition",
    [
        # The model answers as a mock of its edition does in the process, too: test_proof.py.
        pytest.param("2026-03", marks=pytest.mark.long),
        pytest.param("2026-07", marks=pytest.mark.long),
        "2026-11",
    ],
)
def test_a_mock_of_the_edition_shows_no_drift(edition):
    """Everything is asked over HTTP of one account, and nothing differs."""
    with MockServer(edition=edition) as server:
        words = ("--edition", edition, "--other", "o.png", "--search")
        told = document(*words, url=server.url)
        assert not told["drift"]
        assert told["environment"] == "mock"
        assert told["requests"] > 180
        assert len(told["agreeing"]) > 230
        assert told["left_out"] == []
        assert server.control.sessions() == ()
        charged = sum(charge.amount for charge in server.control.charges())
        assert told["cost"]["amount"] == str(charged)


def test_another_edition_is_drift_and_is_named(mock):
    """With the claims, their documents, and what was seen."""
    printed = run("--edition", "2026-07", "--skip", "age", code=DRIFT, url=mock.url).stdout
    assert "false: didit.auth.wrong.403" in printed
    assert "Didit OpenAPI, 2026-07-18; read 2026-11-20" in printed
    assert "seen instead: what didit.auth.wrong.scoped says" in printed
    assert "match with a wrong key: status is 401, not 403" in printed
    assert "The edition 2026-11 fits better" in printed


def test_a_switched_behaviour_is_found():
    """As documented, as told in JSON: the claim, its source, what says otherwise, what it cost."""
    with MockServer(edition="2026-11", switches={"boundary": "inclusive"}) as server:
        told = document("--skip", "kept", code=DRIFT, url=server.url)
    (match,) = (one for one in told["findings"] if "match" in one["suspects"][0]["id"])
    (claim,) = match["suspects"]
    assert claim["id"] == "didit.match.boundary.exclusive"
    assert claim["known"] == "documented"
    assert claim["instead"]["id"] == "didit.match.boundary.inclusive"
    assert match["restores"]
    assert match["differences"][0] == {
        "request": "match at the score",
        "place": "body.face_match.status",
        "expected": '"Declined"',
        "seen": '"Approved"',
    }
    assert told["better_edition"] is None


def test_a_sandbox_key_costs_nothing_and_says_less(mock):
    """Nothing is paid; what cannot be judged with such a key is listed."""
    printed = run("--sandbox", "--all", code=0, url=mock.url).stdout
    assert "0 paid calls" in printed
    assert "  didit.match.boundary.exclusive\n" in printed
    assert mock.control.charges() == ()


def test_the_report_is_written_into_a_file(mock):
    """The same JSON; a file that is there stays unless --force says so, and nothing is asked."""
    words = ("--skip", "match", "--skip", "liveness", "--skip", "age", "--skip", "kept")
    run(*words, "--out", "report.json", code=0, url=mock.url)
    VALIDATOR.validate(json.loads(Path("report.json").read_text()))
    asked = len(mock.control.journal())
    ran = run(*words, "--out", "report.json", code=2, url=mock.url)
    assert "exists; --force" in ran.output
    run(*words, "--out", "nowhere/report.json", code=2, url=mock.url)
    assert len(mock.control.journal()) == asked
    run(*words, "--out", "report.json", "--force", code=0, url=mock.url)


def test_it_stops_without_credit():
    """At the first sign; what was seen is told, and the exit code is that of the vendor."""
    with MockServer(edition="2026-11", switches={"start_credit": "0.12"}) as server:
        told = document(code=VENDOR, url=server.url)
        assert "no credit" in told["stopped"]
        assert told["cost"]["paid_calls"] == {"match": 2}
        assert not told["drift"]
        assert len(server.control.charges()) == 2


def test_it_stops_with_a_wrong_key(mock):
    """Before anything is paid."""
    mock.control.revoke_key(mock.live_key)
    told = document(code=VENDOR, url=mock.url)
    assert "the answer was 401" in told["stopped"]
    assert told["requests"] == 0
    assert told["cost"]["paid_calls"] == {}


def test_an_answer_that_is_lost_ends_it(mock):
    """It may have been paid, it is not sent again, and what was kept is deleted."""
    fault = Fault(
        stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=True, path="/v3/age-estimation/"
    )
    mock.control.add_fault(fault)
    told = document("--skip", "errors", code=VENDOR, url=mock.url)
    assert "age" in told["stopped"]
    assert told["cost"]["unknown_calls"] == 1
    assert mock.control.sessions() == ()
    paths = [entry.path for entry in mock.control.journal()]
    assert paths.count("/v3/age-estimation/") <= 2


def test_the_real_vendor_is_asked_only_with_live():
    """Without --live, and without somebody who says yes, nothing is sent."""
    env = {"DIDIT_API_KEY": API_KEY}
    words = ("drift", "didit", "--probe", "p.png", "--reference", "r.png")
    refused = CliRunner().invoke(facematch, words, env=env)
    assert refused.exit_code == 2
    assert "--live" in refused.output
    asked = CliRunner().invoke(facematch, (*words, "--live"), env=env)
    assert asked.exit_code == 2
    for word in ("verification.didit.me", "at most 29 calls", "USD 1.09", "webhooks", "--yes"):
        assert word in asked.output, asked.output
    assert API_KEY not in asked.output + refused.output


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_it_asks_first(answer, didit_mock, monkeypatch):
    """At the vendor's own address: only a yes lets anything be sent; progress is shown."""
    monkeypatch.setattr("facematch_mock_server.drift.command._is_terminal", lambda _stream: True)
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    words = ("drift", "didit", "--live", "--probe", "p.png", "--reference", "r.png")
    left_out = ("--skip", "kept", "--skip", "age", "--skip", "liveness", "--edition", "2026-07")
    ran = CliRunner().invoke(facematch, (*words, *left_out), input=f"{answer}\n")
    assert ran.exit_code == (0 if answer == "y" else 130)
    assert "Start? [y/N]" in ran.output
    assert bool(didit_mock.control.charges()) == (answer == "y")
    assert ("2 of 63: match without a key" in ran.output) == (answer == "y")
    assert didit_mock.live_key not in ran.output


def test_yes_says_it_before(didit_mock, monkeypatch):
    """Then nobody is asked; the notice is there all the same."""
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    left_out = ("--skip", "kept", "--skip", "age", "--skip", "liveness", "--edition", "2026-07")
    ran = run("--live", "--yes", *left_out, code=0)
    assert "You pay for at most" in ran.stderr
    assert "Nothing differs." in ran.stdout


def test_what_will_be_asked_depends_on_what_is_wanted():
    """Groups that are left out, a search, and a sandbox change the notice."""
    env = {"DIDIT_API_KEY": API_KEY}
    words = ("drift", "didit", "--live", "--probe", "p.png", "--reference", "r.png")

    def notice(*more):
        return CliRunner().invoke(facematch, (*words, *more), env=env).output

    assert "at most 0 calls" in notice("--sandbox")
    assert "webhooks" not in notice("--skip", "kept")
    assert "whole index" not in notice()
    assert "everybody in the account's index" in notice("--search")
    assert "another person" in notice("--other", "o.png")


def test_a_profile_is_used(mock):
    """Its address and its key; one of another backend is refused."""
    Path("mock.key").write_text(mock.live_key)
    Path("facematch.toml").write_text(
        f"""
        [profiles.mock]
        backend = "didit"

        [profiles.mock.settings]
        base_url = "{mock.url}"
        api_key = {{ file = "mock.key" }}

        [profiles.near]
        backend = "local"
        """
    )
    trust("facematch.toml")
    assert "Nothing differs" in run("--profile", "mock", "--skip", "kept", code=0).stdout
    assert "not one of the backend didit" in run("--profile", "near", code=2).output
    run("--config", "facematch.toml", code=2)
    text = Path("facematch.toml").read_text().replace(mock.url, "https://verification.didit.me")
    text = text.replace("api_key", 'environment = "mock"\n        api_key')
    Path("facematch.toml").write_text(text)
    trust("facematch.toml")
    assert "for a mock only" in run("--profile", "mock", "--live", "--yes", code=2).output
    run("--profile", "nobody", code=4)


def test_the_key_of_the_environment_never_goes_to_a_mock(mock, monkeypatch):
    """An address on this machine gets the key that every mock knows."""
    monkeypatch.setenv("DIDIT_API_KEY", API_KEY)
    run("--skip", "kept", "--skip", "age", code=0, url=mock.url)


def test_only_a_mock_may_answer_on_this_machine(mock, monkeypatch):
    """What does not say that it is one may lead to the real vendor: nothing more is sent."""
    from facematch_mock_server.drift import run as playing

    monkeypatch.setattr(playing, "MOCK_HEADER", "X-Another")
    ran = run(code=4, url=mock.url)
    assert "does not say that it is a mock" in ran.output
    assert len(mock.control.journal()) == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--edition", "2027-01"), 2, "2026-11"),
        (("--base-url", "http://elsewhere.example"), 4, "allow_base_url"),
        (("--other", "nowhere.png"), 2, "nowhere.png"),
        (("--skip", "nothing"), 2, "errors"),
        ((), 4, "DIDIT_API_KEY"),
    ],
)
def test_wrong_words_are_told(words, code, told, monkeypatch):
    """One sentence, and no traceback."""
    if words:
        monkeypatch.setenv("DIDIT_API_KEY", API_KEY)
    assert told in run(*words, "--live", code=code).output


def test_a_missing_package_is_told(mock):
    """Before anything is sent, with the one line that installs it."""
    code = (
        "import sys; sys.modules['multipart'] = None; from facematch_core.cli import main; main()"
    )
    words = ("drift", "didit", "--probe", "p.png", "--reference", "r.png", "--base-url", mock.url)
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 4
    assert 'pip install "facematch-core[mock]"' in ran.stderr
    assert mock.control.journal() == ()


def test_a_file_that_is_no_picture_is_told(mock):
    """Before anything is sent."""
    Path("p.png").write_text("no picture")
    ran = run(code=2, url=mock.url)
    assert "p.png" in ran.output
    assert mock.control.journal() == ()


def test_ctrl_c_leaves_nothing_behind(mock, monkeypatch):
    """What was kept until then is deleted."""
    from facematch_mock_server.drift.run import Side

    ask = Side.ask

    def asked(self, step, values):
        if step.name == "list":
            raise KeyboardInterrupt
        return ask(self, step, values)

    monkeypatch.setattr(Side, "ask", asked)
    with contextlib.suppress(KeyboardInterrupt):
        run("--skip", "match", "--skip", "age", "--skip", "liveness", code=130, url=mock.url)
    assert mock.control.sessions() == ()
    assert len(mock.control.charges()) == 7
