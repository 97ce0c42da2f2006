"""`facematch session`, against the mock's Didit over HTTP."""

import json
import os
import stat
import sys

import pytest

from facematch_core import SessionRecord, Sessions
from facematch_mock_server import Fault, MockServer
from facematch_mock_server.recognition.sheet import card_sheet

START = (
    "session",
    "start",
    "--subject",
    "customer-17",
    "--purpose",
    "payout",
    "--reference",
    "id.png",
)
RECORD = ("--record", "s.json")


@pytest.fixture(scope="module")
def server():
    with MockServer() as server:
        yield server


@pytest.fixture
def control(server, configured, monkeypatch, tmp_path):
    """What plays the person; the default profile starts sessions at the mock."""
    monkeypatch.setenv("MOCK_KEY", "mock-live-key")
    configured(f"""
        default_profile = "mock"
        [profiles.mock]
        backend = "didit"
        require_environment = "mock"
        [profiles.mock.settings]
        api_key = {{ env = "MOCK_KEY" }}
        base_url = "{server.url}"
        environment = "mock"
        workflow_id = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
        workflow_takes_reference = true
    """)
    (tmp_path / "id.png").write_bytes(card_sheet()["p1"].data)
    yield server.control
    server.control.reset()


def session_id(folder):
    return json.loads((folder / "s.json").read_text())["session_id"]


@pytest.mark.parametrize(("card", "code"), [("p1", 0), ("p2", 1), ("spoof", 1), (None, 3)])
def test_a_session_from_its_start_to_its_verdict(run, control, tmp_path, card, code):
    started = run(*START, *RECORD)
    assert started.exit_code == 0, started.output
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "s.json").stat().st_mode) == 0o600
    if card is not None:
        control.sessions.finish(session_id(tmp_path), card=card)
    assert run("session", "read", *RECORD).exit_code == code
    document = json.loads(run("session", "read", *RECORD, "--json").stdout)
    assert document["is_verified"] is (code == 0)


def test_link_and_token_are_shown_only_where_that_is_wanted(run, run_json, control, tmp_path):
    code, hidden = run_json(*START, *RECORD)
    assert (code, hidden["way_in"]["link"], hidden["way_in"]["token"]) == (0, None, None)
    again = ("session", "read", *RECORD, "--way-in")
    link = json.loads(run(*again, "--show-link", "--json").stdout)["way_in"]["link"]
    page = control.sessions.page(session_id(tmp_path))
    assert link == page
    assert page in run(*again, "--show-link").stdout
    secret = page.rsplit("/", 1)[1]
    assert secret not in (tmp_path / "s.json").read_text()
    for words in (again, (*again, "--json"), ("session", "read", *RECORD, "--json")):
        answer = run(*words)
        assert answer.exit_code in (0, 3)
        assert secret not in answer.output


def test_wait_tells_of_each_state_once(run, control, tmp_path):
    run(*START, *RECORD)
    control.sessions.abandon(session_id(tmp_path))
    answer = run("session", "read", *RECORD, "--wait")
    assert answer.exit_code == 1  # it is over
    assert answer.stderr.count("the person left") == 1
    assert run("session", "read", *RECORD, "--wait", "0").exit_code == 2


def test_the_record_is_there_before_anything_is_sent(run, control, tmp_path):
    control.add_fault(Fault(stage="mid_body", kind="reset", path="/v3/session/"))
    lost = run(*START, *RECORD)
    assert lost.exit_code == 6
    assert session_id(tmp_path) is None
    again = run(*START, *RECORD)
    assert again.exit_code == 0, again.output
    assert [session.id for session in control.sessions.open()] == [session_id(tmp_path)]


def test_of_two_starts_at_once_one_has_the_record(run, control, tmp_path, monkeypatch):
    def plan_while_another_starts(sessions, *arguments, plan=Sessions.plan, **options):
        monkeypatch.setattr(Sessions, "plan", plan)
        assert run(*START, *RECORD).exit_code == 0
        return plan(sessions, *arguments, **options)

    monkeypatch.setattr(Sessions, "plan", plan_while_another_starts)
    assert run(*START, *RECORD).exit_code == 2
    assert [session.id for session in control.sessions.open()] == [session_id(tmp_path)]


@pytest.mark.parametrize("place", ["a folder", "the record of another start"])
def test_a_record_that_cannot_be_written_any_more_is_shown(
    run, control, tmp_path, monkeypatch, place
):
    def start_and_lose_the_file(sessions, *arguments, start=Sessions.start, **options):
        result = start(sessions, *arguments, **options)
        file = tmp_path / "s.json"
        file.unlink()
        if place == "a folder":
            file.mkdir()
        else:
            file.write_text(json.dumps(result.record.to_dict() | {"session_id": "another"}))
        return result

    monkeypatch.setattr(Sessions, "start", start_and_lose_the_file)
    answer = run(*START, *RECORD)
    assert answer.exit_code == 4
    document = next(line for line in answer.stderr.splitlines() if line.startswith("{"))
    record = SessionRecord.from_dict(json.loads(document))
    assert [record.session_id] == [session.id for session in control.sessions.open()]
    assert place == "a folder" or session_id(tmp_path) == "another"


def test_a_start_does_not_touch_the_record_of_something_else(run, control, tmp_path):
    run(*START, *RECORD)
    before = (tmp_path / "s.json").read_bytes()
    other = [word.replace("17", "18") for word in START]
    assert run(*other, *RECORD).exit_code == 2
    assert run(*START, *RECORD).exit_code == 2  # it was started
    assert (tmp_path / "s.json").read_bytes() == before
    assert len(control.sessions.open()) == 1


def test_what_the_vendor_must_compare_with_is_fixed_by_the_plan(run, control, tmp_path):
    assert run(*START[:-2], *RECORD).exit_code == 2  # there is no picture to compare with
    other = run(*START[:-2], *RECORD, "--compared-with", "document")
    assert (other.exit_code, "compared_with" in other.stderr) == (2, True)
    assert control.sessions.open() == ()
    assert run(*START, *RECORD).exit_code == 0
    more = ("--record", "live.json", "--expects", "liveness")
    assert run(*START[:-2], *more).exit_code == 5  # this workflow of the mock needs a picture


def test_a_session_of_liveness_alone_is_read_where_nothing_is_compared(
    run, configured, monkeypatch, tmp_path
):
    with MockServer(vendor="rekognition") as server:
        monkeypatch.setenv("MOCK_ID", server.client_id)
        monkeypatch.setenv("MOCK_KEY", server.live_key)
        configured(f"""
            default_profile = "mock"
            [profiles.mock]
            backend = "rekognition"
            require_environment = "mock"
            liveness_threshold = 80
            [profiles.mock.settings]
            base_url = "{server.url}"
            environment = "mock"
            region = "eu-west-1"
            access_key_id = {{ env = "MOCK_ID" }}
            secret_access_key = {{ env = "MOCK_KEY" }}
        """)
        started = run(*START[:-2], *RECORD, "--expects", "liveness")
        assert started.exit_code == 0, started.output
        server.control.sessions.finish(session_id(tmp_path), card="p1")
        assert run("session", "read", *RECORD).exit_code == 0


def test_a_portrait_is_written_of_a_live_face_alone(run, control, tmp_path):
    run(*START, *RECORD)
    control.sessions.finish(session_id(tmp_path), card="spoof")
    assert run("session", "read", *RECORD, "--portrait", "face.png").exit_code == 1
    assert not (tmp_path / "face.png").exists()
    more = ("--record", "s2.json")
    run(*START, *more)
    control.sessions.finish(json.loads((tmp_path / "s2.json").read_text())["session_id"])
    answer = run("session", "read", *more, "--portrait", "face.png")
    assert (answer.exit_code, "face.png" in answer.stdout) == (0, True)
    assert (tmp_path / "face.png").stat().st_size
    assert os.name == "nt" or stat.S_IMODE((tmp_path / "face.png").stat().st_mode) == 0o600


def test_delete_says_what_it_did(run, run_json, control, tmp_path):
    run(*START, *RECORD)
    assert run_json("session", "delete", *RECORD)[1]["state"] == "done"
    assert run_json("session", "delete", *RECORD)[1]["state"] == "not_there"
    assert control.sessions.open() == ()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"schema": 1, "kind": "match"}', pytest.param(5_000 * "[", id="too deep"), None],
)
def test_what_is_no_record_is_refused_in_a_sentence(run, control, tmp_path, content):
    if content is not None:
        (tmp_path / "s.json").write_text(content)
    for word in ("read", "delete"):
        answer = run("session", word, *RECORD)
        assert (answer.exit_code, "s.json" in answer.stderr) == (2, True)


def test_a_backend_without_sessions_is_refused(run, tmp_path):
    answer = run(*START[:6], *RECORD, "--backend", "local")
    assert answer.exit_code == 4
    assert not (tmp_path / "s.json").exists()
