import contextlib
import datetime as dt
import logging
import multiprocessing
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import sqlalchemy
from kit import fips, stored_versions
from kit.fakes import PROBE, REFERENCE, FakeBackend, child_says_yes
from kit.marks import forks_beside_threads, needs_fork

import facematch_core as fm
from facematch_core.call_log import LoggedCall, Side, read_call_columns, read_call_log, tables
from facematch_core.call_log import log as call_logs
from facematch_core.call_log.log import MOST_WAITING_ROWS
from facematch_core.resilience import Budget

CANARY = "customer-canary-4c1d"
KEY = "key-canary-9a7e"
NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
STORED = Path(__file__).parents[1] / "store/golden"


@pytest.fixture
def log(address):
    with fm.CallLog(address, key=KEY) as opened:
        yield opened


@pytest.fixture
def verifier(log):
    return fm.FaceVerifier(FakeBackend(), log=log)


def row(number=0, at=NOW, **fields):
    return LoggedCall(
        call_id=f"call-{number}",
        at=at,
        operation=fm.Operation.MATCH,
        side=Side.ANSWERED,
        **fields,
    )


def execute(address, *statements):
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


# What a row says


def test_each_call_is_a_row_with_the_facts_of_its_result(log):
    scripted = fm.MatchResult(
        decision=fm.Decision.REVIEW,
        backend="fake",
        model="m-7",
        score=fm.Score(61.5, "fake/v1"),
        warnings=[
            fm.ResultWarning(code=fm.WarningCode.SMALLER_FACE_MATCHED),
            fm.ResultWarning(code=fm.WarningCode.SCORE_UNAVAILABLE),
        ],
        billing=fm.Billing(fm.Charged.YES, "it says so", 2),
    )
    verifier = fm.FaceVerifier(FakeBackend(script=[scripted]), threshold=60, log=log)
    result = verifier.verify(PROBE, REFERENCE, caller_ref=CANARY, metadata={"name": CANARY})
    (logged,) = log.rows()
    assert abs(logged.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert 0 < logged.elapsed_s < 60
    assert logged == LoggedCall(
        call_id=result.ids.call,
        at=logged.at,
        elapsed_s=logged.elapsed_s,
        operation=fm.Operation.MATCH,
        side=Side.ANSWERED,
        system="fake",
        decision="review",
        score=61.5,
        scale="fake/v1",
        threshold=60,
        model="m-7",
        warnings="smaller_face_matched score_unavailable",
        charged=fm.Charged.YES,
        charges=2,
        environment=fm.Environment.PRODUCTION,
        person=log.digest(CANARY),
    )


def test_person_is_the_share_key_and_without_one_the_caller_ref(verifier, log):
    verifier.verify(PROBE, REFERENCE, caller_ref="request-1", share_key="customer-1")
    verifier.verify(PROBE, REFERENCE, caller_ref="request-2")
    with pytest.raises(fm.InvalidRequest):
        verifier.verify(PROBE, REFERENCE, caller_ref="request-3", share_key=17)
    people = [logged.person for logged in log.rows()]
    assert people == [log.digest("customer-1"), log.digest("request-2"), None]
    assert log.forget("customer-1") == 1


def test_verify_live_is_two_rows_and_a_batch_one_for_each_pair(verifier, log):
    verifier.verify_live(PROBE, REFERENCE)
    assert [logged.operation.value for logged in log.rows()] == ["liveness", "match"]
    list(verifier.verify_many([(PROBE, REFERENCE)] * 3))
    assert [logged.decision for logged in log.rows()] == ["live"] + ["match"] * 4


@pytest.mark.parametrize(
    ("policies", "ending", "error", "charged"),
    [
        ([], fm.RateLimited("x"), "RateLimited", fm.Charged.NO),
        ([], fm.UnexpectedResponse("x"), "UnexpectedResponse", fm.Charged.YES),
        ([], KeyboardInterrupt(), "KeyboardInterrupt", fm.Charged.UNKNOWN),
        ([Budget(0, name="b")], None, "BudgetExceeded", fm.Charged.NO),
    ],
    ids=["free", "charged", "interrupted", "refused by a policy"],
)
def test_error_is_a_row_with_its_charge(log, policies, ending, error, charged):
    verifier = fm.FaceVerifier(FakeBackend(script=[ending]), policies=policies, log=log)
    with pytest.raises((fm.FaceMatchError, KeyboardInterrupt)) as caught:
        verifier.verify(PROBE, REFERENCE)
    (logged,) = log.rows()
    if isinstance(caught.value, fm.VendorError):
        assert logged.call_id == caught.value.ids.call
    assert (logged.error, logged.decision, logged.charged) == (error, None, charged)
    assert logged.system == "fake"


def test_a_failover_and_a_share_log_one_row_a_call_with_the_member(log):
    down = FakeBackend(script=[fm.RateLimited("x")] * 2)
    up = FakeBackend()
    failover = fm.Failover({"shop": fm.FaceVerifier(down), "spare": fm.FaceVerifier(up)}, log=log)
    failover.verify(PROBE, REFERENCE)
    up.script = [fm.OutcomeUnknown("lost")]
    with pytest.raises(fm.OutcomeUnknown):
        failover.verify(PROBE, REFERENCE)
    members = {name: fm.FaceVerifier(FakeBackend()) for name in "ab"}
    share = fm.Share(members, {"a": 0, "b": 100}, log=log)
    share.verify(PROBE, REFERENCE, caller_ref=CANARY)
    systems = [(logged.system, logged.error) for logged in log.rows()]
    assert systems == [("spare", None), ("spare", "OutcomeUnknown"), ("b", None)]
    with pytest.raises(fm.InvalidRequest):
        share.verify(PROBE, REFERENCE)
    assert log.rows()[-1].system is None


def test_a_log_in_two_layers_is_refused(log):
    member = fm.FaceVerifier(FakeBackend(), log=log)
    with pytest.raises(fm.ConfigurationError, match="twice"):
        fm.Failover({"a": member}, log=log)
    with pytest.raises(fm.ConfigurationError, match="twice"):
        fm.Share({"a": member}, {"a": 100}, log=log)
    share = fm.Share({"b": fm.Failover({"a": member})}, {"b": 100})
    with pytest.raises(fm.ConfigurationError, match="twice"):
        fm.Shadow(share, fm.FaceVerifier(FakeBackend()), log=log)
    with pytest.raises(fm.ConfigurationError, match="CallLog"):
        fm.FaceVerifier(FakeBackend(), log="sqlite:///calls.sqlite3")


# Privacy


def test_no_picture_key_reference_or_metadata_is_written(verifier, log, address, tmp_path):
    verifier.verify(PROBE, REFERENCE, caller_ref=CANARY, metadata={"name": CANARY})
    log.rows()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("attempts.sqlite3*"))
    assert log.digest(CANARY).encode() in written
    for secret in (CANARY.encode(), KEY.encode(), PROBE.data[:40], REFERENCE.data[:40]):
        assert secret not in written
    for text in (repr(log), str(vars(log))):
        assert KEY not in text


def test_digests_need_the_key_and_a_log_refuses_another(log, address, tmp_path):
    of_other_key = fm.CallLog(f"sqlite:///{tmp_path}/other.sqlite3", key=b"another")
    assert log.digest("x") != of_other_key.digest("x")
    assert log.digest("x") != log.digest("y")
    with fm.CallLog(address, key=fm.Secret(KEY)) as of_same_key:
        assert of_same_key.digest("x") == log.digest("x")
    with pytest.raises(fm.ConfigurationError, match="another key"):
        fm.CallLog(address, key="another")
    of_other_key.close()


def test_log_is_the_same_in_fips_mode(log, address, monkeypatch):
    fips.take_away(monkeypatch.setattr)
    with fm.CallLog(address, key=KEY) as same_log:
        assert same_log.digest("customer-17") == log.digest("customer-17")
        same_log.add(row(person=log.digest("customer-17")))
        assert same_log.forget("customer-17") == 1


def test_log_of_an_earlier_release_is_read_in_fips_mode_but_not_continued(monkeypatch, tmp_path):
    dump = (STORED / "call_log_1.sql").read_text("utf-8")
    address = stored_versions.restore(dump, tmp_path / "calls.sqlite3")
    fips.take_away(monkeypatch.setattr)
    with pytest.raises(fm.ConfigurationError, match="use a new log"):
        fm.CallLog(address, key=KEY)
    assert len(read_call_log(address)) == 3


@pytest.mark.parametrize("key", [b"", None])
def test_invalid_key_is_refused(address, key):
    with pytest.raises(fm.ConfigurationError, match="key"):
        fm.CallLog(address, key=key)


def test_forget_deletes_a_persons_rows_or_old_ones(verifier, log):
    for customer in ("one", "two", "one"):
        verifier.verify(PROBE, REFERENCE, caller_ref=customer)
    log.add(row(1, at=NOW - dt.timedelta(days=90), person=log.digest("two")))
    assert log.forget("one") == 2
    assert log.forget("nobody") == 0
    assert log.forget("two", before=NOW - dt.timedelta(days=80)) == 1
    assert [logged.person for logged in log.rows()] == [log.digest("two")]
    assert log.forget(before=dt.datetime.now(dt.UTC) + dt.timedelta(days=1)) == 1
    with pytest.raises(fm.InvalidRequest):
        log.forget()
    with pytest.raises(fm.InvalidRequest):
        log.digest(17)


# The database


def test_rows_are_read_without_the_key_and_in_a_span_of_time(log, address):
    rows = [row(number, at=NOW + dt.timedelta(days=number), score=0.25) for number in range(4)]
    for each in reversed(rows):
        log.add(each)
    assert log.rows() == rows
    assert log.rows(since=rows[1].at, until=rows[3].at) == rows[1:3]
    assert read_call_log(address) == rows
    assert read_call_log(address, rows[2].at) == rows[2:]
    (part,) = read_call_columns(address, list, rows[1].at, rows[3].at)
    for name, values in part.items():
        assert list(values) == [getattr(each, name) for each in rows[1:3]]


def test_a_long_log_is_read_by_columns_in_parts(log, address):
    count = 5000
    rows = [row(number, at=NOW + dt.timedelta(seconds=number)) for number in range(count)]
    log.close()
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        tables.write(connection, rows)
    engine.dispose()
    parts = read_call_columns(address, list)
    assert len(parts) > 1
    assert [at for part in parts for at in part["at"]] == [each.at for each in rows]


def test_a_log_may_share_a_budgets_database(log, address):
    store = fm.SqlStore(address)
    verifier = fm.FaceVerifier(FakeBackend(), policies=[Budget(9, name="b", store=store)], log=log)
    verifier.verify(PROBE, REFERENCE)
    assert [state.spent for state in store.budgets()] == [1]
    assert len(log.rows()) == 1
    verifier.close()


def test_another_schema_version_is_refused(log, address):
    log.close()
    execute(address, "UPDATE facematch_call_log SET version = 99")
    readers = (read_call_log, lambda where: read_call_columns(where, list))
    for open_log in (*readers, lambda where: fm.CallLog(where, key=KEY)):
        with pytest.raises(fm.ConfigurationError, match="version 99 of"):
            open_log(address)


def test_a_database_without_a_log_is_refused_and_stays_empty(tmp_path):
    address = f"sqlite:///{tmp_path}/empty.sqlite3"
    with pytest.raises(fm.ConfigurationError, match="no call log"):
        read_call_log(address)


def test_damaged_row_is_an_error_without_its_values(log, address):
    log.add(row())
    log.close()
    columns = ["charged", "at"]
    if address.startswith("sqlite"):  # other databases refuse a text in a column of numbers
        columns = ["elapsed_s", "score", *columns]
    for column in columns:
        execute(address, f"UPDATE facematch_calls SET {column} = '{CANARY}'")
        for read in (log.rows, lambda: read_call_columns(address, list)):
            with pytest.raises(fm.ConfigurationError, match="damaged") as caught:
                read()
            assert CANARY not in str(caught.value)


# Never in the caller's way


def test_a_call_does_not_fail_if_its_row_cannot_be_written(verifier, log, address, caplog):
    execute(address, "DROP TABLE facematch_calls")
    for _ in range(3):
        assert verifier.verify(PROBE, REFERENCE).is_match
    assert log.flush()
    assert log.lost_rows == 3
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1


def test_a_row_that_the_database_refuses_costs_no_other(log):
    # JSON allows half a character, which no database stores.
    odd = fm.MatchResult(decision=fm.Decision.MATCH, backend="fake", model="\ud800")
    verifier = fm.FaceVerifier(FakeBackend(script=[None, odd, None]), log=log)
    for _ in range(3):
        verifier.verify(PROBE, REFERENCE)
    assert ([row.model for row in log.rows()], log.lost_rows) == ([None, None], 1)


def test_rows_wait_for_a_locked_database_and_only_those_without_room_are_lost(log, address):
    count = MOST_WAITING_ROWS + 2000
    locked = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    for number in range(count):
        log.add(row(number))
    assert not log.flush(0.01)
    assert 0 < log.lost_rows <= 2000
    locked.execute("ROLLBACK")
    locked.close()
    assert log.flush(60)
    assert len(log.rows()) == count - log.lost_rows


def test_closing_during_an_outage_is_bounded_and_counts_what_is_lost(log, monkeypatch):
    def unavailable(*_arguments, **_options):
        raise fm.StoreUnavailable("down")

    monkeypatch.setattr(log._database, "run", unavailable)  # noqa: SLF001 - an outage
    monkeypatch.setattr(fm.call_log.log, "CLOSE_TIMEOUT_S", 0.05)
    for number in range(700):
        log.add(row(number))
    log.close()
    assert log.lost_rows == 700


def test_a_closed_log_can_be_used_by_another_verifier(log):
    for _ in range(2):
        with fm.FaceVerifier(FakeBackend(), log=log) as verifier:
            verifier.verify(PROBE, REFERENCE)
    assert len(log.rows()) == 2
    with pytest.raises(TypeError):
        pickle.dumps(log)  # each process opens one


# Several processes


@needs_fork
@forks_beside_threads
def test_parent_and_child_write_their_own_rows_once(log):
    for number in range(20):
        log.add(row(number))

    log.add(row(21, model="\ud800"))  # refused by the database
    log.flush()

    def child():
        log.add(row(100, system="child"))
        return log.flush(15) and log.lost_rows == 0

    assert child_says_yes(child)
    assert log.lost_rows == 1
    call_ids = {logged.call_id for logged in log.rows()}
    assert call_ids == {f"call-{number}" for number in range(20)} | {"call-100"}
    assert len(log.rows()) == 21


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from kit.fakes import FakeBackend, picture
import facematch_core as fm
log = fm.CallLog({address!r}, key="k")
verifier = fm.FaceVerifier(FakeBackend(), log=log)
for _ in range(50):
    verifier.verify(picture(), picture())
"""


@pytest.mark.slow
def test_rows_are_written_at_the_end_of_a_program_that_closes_nothing(address):
    tests = str(Path(__file__).parents[2])
    program = PROGRAM.format(tests=tests, address=address)
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
    assert len(read_call_log(address)) == 50


def _log_and_end(address, numbers):
    # The log outlives the function: nothing closes it but the end of the process.
    _log_and_end.log = fm.CallLog(address, key=KEY)
    for number in numbers:
        _log_and_end.log.add(row(number))


#: How this system starts a child; the first is the usual one, and the others import anew.
METHODS = multiprocessing.get_all_start_methods()


@forks_beside_threads
@pytest.mark.parametrize(
    "method", [METHODS[0], *(pytest.param(of, marks=pytest.mark.slow) for of in METHODS[1:])]
)
def test_rows_are_written_at_the_end_of_a_child_of_multiprocessing(address, method):
    context = multiprocessing.get_context(method)
    children = []
    for numbers in (range(50), range(50, 2000)):
        child = context.Process(target=_log_and_end, args=(address, numbers))
        child.start()
        children.append(child)
    for child in children:
        child.join(240)
        assert child.exitcode == 0
    assert len(read_call_log(address)) == 2000


@needs_fork
@forks_beside_threads
def test_a_forked_child_writes_its_rows_to_its_parents_log_at_its_end(log):
    log.add(row(0))
    child = multiprocessing.get_context("fork").Process(target=log.add, args=(row(1),))
    child.start()
    child.join(240)
    assert child.exitcode == 0
    assert [logged.call_id for logged in log.rows()] == ["call-0", "call-1"]


def test_rows_wait_while_the_disk_is_full(log, address, monkeypatch):
    monkeypatch.setattr(call_logs, "_RETRY_S", 0.02)
    log.add(row())
    log.flush()
    database = log._database.engine  # noqa: SLF001 - a limit of pages is of one connection
    is_full = True

    @sqlalchemy.event.listens_for(database, "checkout")
    def limit(connection, *_):
        pages = 1 if is_full else 2**30
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    for number in range(1, 1000):
        log.add(row(number, model="m" * 50))
    assert not log.flush(0.1)
    assert log.lost_rows == 0
    is_full = False
    assert log.flush(30)
    assert (len(log.rows()), log.lost_rows) == (1000, 0)


def test_a_row_has_a_column_for_each_attribute(log, address):
    log.close()
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as database:
        columns = [about[1] for about in database.execute("PRAGMA table_info(facematch_calls)")]
    assert set(columns) == {field.name for field in attrs.fields(LoggedCall)}
