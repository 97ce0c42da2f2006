"""`MockServer(store=...)`: what a restart finds, and what never gets into the file."""

import base64
import datetime as dt
import logging
import stat
from decimal import Decimal

import pytest
import requests

from facematch_mock_server import Fault, Kind, MockServer, Stage, VirtualClock, card_sheet

SHEET = card_sheet()
P1, P2 = SHEET["p1"].data, SHEET["p2"].data
MATCH = "/v3/face-match/"
START = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)


@pytest.fixture
def path(tmp_path):
    """Where the store is."""
    return tmp_path / "mock.db"


def post(mock, key=None, probe=P1, **fields):
    """A comparison that is kept, through a socket."""
    files = {"user_image": ("a.png", probe), "ref_image": ("b.png", P1)}
    headers = {"x-api-key": key or mock.live_key}
    fields = {"save_api_request": "true", **fields}
    url = mock.url + MATCH
    return requests.post(url, headers=headers, files=files, data=fields, timeout=10)


def everything(mock):
    """What a restart is to find."""
    control = mock.control
    return (
        control.sessions.all(),
        control.charges(),
        control.balance(),
        control.keys(),
        control.now(),
    )


def test_a_restart_finds_everything(path):
    """Sessions, charges, credit, keys and the time; the next session has the next number."""
    with MockServer(store=path, clock=VirtualClock(START)) as mock:
        mock.control.set_balance("7.5")
        key = mock.control.add_key("sandbox")
        revoked = mock.control.add_key()
        mock.control.revoke_key(revoked)
        said = {"metadata": '{"n": 1.0, "é": [null]}', "vendor_data": "v"}
        answers = [post(mock, **said) for _ in range(3)]
        post(mock, probe=P2)
        mock.control.advance(3600.5)
        before = everything(mock)
    with MockServer(store=path, clock=VirtualClock(START)) as mock:
        assert everything(mock) == before
        assert mock.control.balance() == Decimal("7.5") - 4 * Decimal("0.05")
        assert post(mock, key).status_code == 200
        assert post(mock, revoked).status_code == 403
        assert post(mock).status_code == 200
        sessions = mock.control.sessions.all()
        assert [one.number for one in sessions] == [1, 2, 3, 4, 5]
        ids = [answer.json()["request_id"] for answer in answers]
        assert [one.id for one in sessions[:3]] == ids
        assert sessions[-1].created_at == START + dt.timedelta(seconds=3600.5)


def test_what_only_a_process_needs_is_not_kept(path):
    """Outcomes, faults, limits, windows and the journal begin anew."""
    with MockServer(store=path) as mock:
        mock.control.set_limit("write", 1)
        assert [post(mock).status_code for _ in range(2)] == [200, 429]
        mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=503))
        mock.control.set_outcome("match", score=1)
    with MockServer(store=path) as mock:
        assert (mock.control.faults(), mock.control.outcomes(), mock.control.journal()) == ((),) * 3
        assert mock.control.limits()["write"] == 300
        assert post(mock).status_code == 200


def test_ids_of_one_seed_do_not_come_again(path):
    """Each run has ids of its own, also after a reset; the first has those of a world in memory."""

    def ids(**options):
        with MockServer(seed=7, **options) as mock:
            return [post(mock).json()["request_id"] for _ in range(3)]

    runs = [ids(store=path) for _ in range(3)]
    assert runs[0] == ids()
    assert len({one for run in runs for one in run}) == 9
    with MockServer(seed=7, store=path) as mock:
        mock.control.reset()
        after = [post(mock).json()["request_id"] for _ in range(3)]
    assert not {one for run in runs for one in run} & set(after)
    assert not set(ids(store=path)) & set(after)


@pytest.mark.parametrize("running", [False, True])
def test_the_clock_never_goes_back(path, running):
    """It keeps what it was advanced, over restarts, a reset, and a machine that is set back."""

    def clock():
        return VirtualClock(running=running)

    day = dt.timedelta(days=1)
    times = [dt.datetime.now(dt.UTC)]
    for number in range(3):
        with MockServer(store=path, clock=clock()) as mock:
            times.append(mock.control.now())
            assert times[-1] - dt.datetime.now(dt.UTC) > day * number - dt.timedelta(minutes=1)
            times.append(mock.control.advance(day.total_seconds()))
            mock.control.reset()
            times.append(mock.control.now())
    assert times[-1] - dt.datetime.now(dt.UTC) < day * 3 + dt.timedelta(minutes=1)
    with MockServer(store=path, clock=VirtualClock(START)) as mock:
        times.append(mock.control.now())
    assert times == sorted(times)


def test_the_clock_is_not_behind_what_was_answered(path):
    """Not even if the mock was killed, and the machine's clock set back since."""
    mock = MockServer(store=path, clock=VirtualClock(START)).start()
    mock.world.clock._now += dt.timedelta(hours=1)  # as a clock that runs
    session = post(mock).json()["request_id"]
    # As if it were killed: the file is given back, and nobody tidies up.
    mock.world.store.close()
    mock.stop()
    with MockServer(store=path, clock=VirtualClock(START)) as again:
        assert again.control.sessions.all()[0].id == session
        assert again.control.now() == START + dt.timedelta(hours=1)


def test_one_clock_for_two_runs_is_advanced_once(path):
    """A clock that lives on already stands where the store says; a stopped mock lets go of it."""
    clock = VirtualClock(START)
    for hours in (1, 2):
        with MockServer(store=path, clock=clock) as mock:
            assert mock.control.advance(3600) == START + dt.timedelta(hours=hours)
    assert clock.advance(3600) == START + dt.timedelta(hours=3)


def test_a_reset_is_kept(path):
    """After it nothing of before is found again."""
    with MockServer(store=path) as mock:
        key = mock.control.add_key()
        post(mock)
        mock.control.set_balance(1)
        reset = requests.post(f"{mock.control_url}reset", json={}, timeout=10)
        assert reset.status_code == 200
        new = post(mock).json()["request_id"]
    with MockServer(store=path) as mock:
        assert [(one.id, one.number) for one in mock.control.sessions.all()] == [(new, 1)]
        assert [one.request_id for one in mock.control.charges()] == [new]
        assert mock.control.balance() == Decimal("99.95")
        assert post(mock, key).status_code == 403


def test_nothing_secret_is_in_the_file(path):
    """No picture in any form, no key, no token; and nobody else may read the file."""
    key, canary = "my-very-own-key-1", P1 + b"canary of a picture" * 50
    with MockServer(store=path, control_token="my-control-token") as mock:
        mock.control.add_key(key=key)
        made = mock.control.add_key("sandbox")
        for _ in range(3):
            assert post(mock, key, probe=canary).status_code == 200
        files = [path, path.with_name(path.name + "-wal")]
        content = b"".join(one.read_bytes() for one in files)
        assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
        assert mock.control.sessions.all()[0].id.encode() in content
    content += path.read_bytes()
    part = canary[-300:]
    for secret in (
        part[:60],
        part.hex()[:60].encode(),
        part.hex()[:60].upper().encode(),
        *(base64.b64encode(part[n:])[:60] for n in range(3)),
        P1[100:160],
        P1[100:160].hex().encode(),
        base64.b64encode(P1[99:159]),
        key.encode(),
        made.encode(),
        mock.live_key.encode(),
        mock.sandbox_key.encode(),
        b"my-control-token",
    ):
        assert secret not in content


def test_only_one_server_has_a_store(path):
    """The second is told what to do; it can be opened as soon as the first was stopped."""
    with MockServer(store=path) as mock:
        with pytest.raises(OSError, match="another mock uses this store; end that one"):
            MockServer(store=path)
        assert post(mock).status_code == 200
    MockServer(store=str(path)).stop()


def test_a_refused_server_lets_go_of_its_store(path):
    """A wrong switch is corrected, and the same file opens."""
    with pytest.raises(ValueError, match="bound"):
        MockServer(store=path, switches={"boundary": "up"})
    MockServer(store=path).stop()


def test_a_stopped_server_with_a_store_is_over(path):
    """It can be looked at; it takes no change and does not start again."""
    with MockServer(store=path) as mock:
        post(mock)
    assert len(mock.control.sessions.all()) == 1
    with pytest.raises(OSError, match="was closed with its mock; make a new one"):
        mock.start()
    with pytest.raises(OSError, match="was closed"):
        mock.control.set_balance(1)
    assert mock.control.balance() == Decimal("99.95")
    mock.stop()


def test_what_is_not_written_is_not_answered(path, caplog):
    """A file that was taken away: 500 from then on, with one sentence in the log each time."""
    with MockServer(store=path) as mock:
        assert post(mock).status_code == 200
        path.unlink()
        answers = [post(mock) for _ in range(3)]
        answers.append(requests.get(f"{mock.control_url}sessions", timeout=10))
    assert [answer.status_code for answer in answers] == [500] * 4
    (sentence,) = {answer.json()["mock"] for answer in answers}
    assert sentence.startswith("The store of the mock cannot be written, so nothing is answered")
    told = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert [one.exc_info for one in told] == [None] * 4
    sentence = f"the file of the mock's store was taken away: {path}; every request is answered 500"
    assert all(one.getMessage().startswith(sentence) for one in told)


def test_a_call_that_the_engine_fails_over_leaves_nothing(path, monkeypatch):
    """500, and a restart finds neither a charge nor half a session."""
    with MockServer(store=path) as mock:
        assert post(mock).status_code == 200
        add = mock.world.sessions.add

        def fail(*args, **fields):
            add(*args, **fields)
            raise RuntimeError("broken")

        monkeypatch.setattr(mock.world.sessions, "add", fail)
        assert post(mock).status_code == 500
    with MockServer(store=path) as mock:
        assert len(mock.control.sessions.all()) == len(mock.control.charges()) == 1
        assert mock.control.balance() == Decimal("99.95")
