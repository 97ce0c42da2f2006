"""Checks of uploads: each paid once for its case, and used once.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import datetime as dt
import io
import json
import math
import uuid
from concurrent.futures import ThreadPoolExecutor

import PIL.ExifTags
import PIL.Image
import pytest
import sqlalchemy
from core.checks.clerk import count_yes
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, LOGIN, NO_MATCH, OTHER, SELFIE, live
from kit.attempts import lost_commits
from kit.fakes import FakeBackend, FakeOptions, Hold, match_result, picture, together

import facematch_core as fm
from facematch_core.base.deadline import CallCancelled
from facematch_core.checks import making

FIRST, AGAIN, NO = fm.Use


def test_second_click_returns_the_stored_verdict_and_sends_nothing(desk):
    first = desk.verify_live(caller_ref="case-1", metadata={"a": 1})
    second = desk.verify_live(caller_ref="case-2", metadata={"a": 2})
    assert desk.operations == "lm"
    assert (second.decision, second.match.score) == (first.decision, first.match.score)
    assert (second.ids.call, second.ids.caller) == (first.ids.call, "case-2")
    assert second.match.metadata == second.liveness.metadata == {"a": 2}
    assert [desk.of().use() for _ in range(3)] == [FIRST, AGAIN, AGAIN]


def test_other_pictures_options_and_cases_are_other_checks(desk):
    desk.verify_live()
    desk.verify_live(OTHER, DOCUMENT)
    desk.verify_live(DOCUMENT, SELFIE)
    desk.verify_live(options=FakeOptions(2))
    assert desk.operations == "lm" * 4
    desk.of("customer-18").verify_live(SELFIE, DOCUMENT)
    desk.of(case=LOGIN).verify_live(SELFIE, DOCUMENT)
    assert desk.operations == "lm" * 6
    digests = [row["fingerprint"] for row in desk.rows("fingerprint")]
    assert len(set(digests)) == 6  # the same pictures of two customers, too


def photograph(form="jpeg", **tags):
    """Return the file of one photograph, with EXIF tags, as a phone writes it."""
    exif = PIL.Image.Exif()
    for name, value in tags.items():
        exif[PIL.ExifTags.Base[name]] = value
    file = io.BytesIO()
    PIL.Image.linear_gradient("L").convert("RGB").save(file, form, exif=exif)
    return file.getvalue()


TIMES = "2026:11:30 10:00:01", "2026:11:30 10:00:02"


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_photograph_with_another_exif_time_is_the_same_check(desk, form):
    first, again = (photograph(form, DateTime=time) for time in TIMES)
    assert first != again
    desk.verify_live(first, DOCUMENT)
    desk.verify_live(again, DOCUMENT)
    desk.verify_live(fm.Image.from_bytes(again).prepared(), DOCUMENT)
    assert desk.operations == "lm"
    assert desk.of().use()


def test_photograph_that_is_turned_is_another_check(desk):
    for orientation in (1, 3):
        desk.verify_live(photograph(Orientation=orientation), DOCUMENT)
    assert desk.operations == "lmlm"


def test_file_that_only_decoding_can_clean_is_compared_as_it_is(desk):
    for time in TIMES:
        for _click in range(2):
            desk.verify_live(photograph("tiff", DateTime=time), DOCUMENT)
    assert desk.operations == "lmlm"


def test_check_of_an_earlier_release_is_still_the_same_check(desk):
    """An earlier release took the digests of the whole files."""
    first = photograph(DateTime=TIMES[0])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fm.Image, "clean_digest", fm.Image.digest)
        desk.verify_live(first, DOCUMENT)
    desk.verify_live(first, DOCUMENT)
    assert desk.operations == "lm"


@pytest.mark.parametrize("customer", [17, uuid.UUID(int=17)], ids=["int", "UUID"])
def test_customer_of_an_orm_is_told_to_be_passed_as_its_text(desk, customer):
    with pytest.raises(fm.InvalidRequest, match=r"str\(\.\.\.\)"):
        desk.of(customer)
    with pytest.raises(fm.InvalidRequest) as caught:
        desk.of(None)
    assert "str(" not in str(caught.value), "all customers would be one, named None"


def test_verdict_that_was_returned_last_is_used(desk):
    case = desk.of()
    assert case.verify_live(SELFIE, DOCUMENT).is_verified
    desk.backend.script[:] = [live(), NO_MATCH]
    assert case.verify_live(OTHER, DOCUMENT).decision is fm.LiveMatchDecision.NO_MATCH
    assert not case.use()
    assert case.why_not() == ("the check is no_match",)
    assert case.verify_live(SELFIE, DOCUMENT).is_verified
    assert desk.operations == "lmlm"
    assert case.use()
    assert not case.use()


def test_use_whose_commit_may_be_lost_is_never_a_second_yes(desk):
    desk.verify_live()
    with lost_commits(), pytest.raises(fm.StoreUnavailable):
        desk.of().use()
    assert [desk.of().use(), desk.of().use()] == [FIRST, AGAIN], "nobody heard of the first"


def test_used_verdict_is_not_returned_again_for_a_purpose_that_recurs(desk):
    case = desk.of(case={"purpose": "login", "about": None})
    case.verify_live(SELFIE, DOCUMENT)
    assert case.use()
    assert case.verify_live(SELFIE, DOCUMENT).is_verified
    assert desk.operations == "lmlm"
    assert case.use()


def test_matter_is_used_once_for_as_long_as_its_row_lives(desk):
    def request(selfie=SELFIE):
        return desk.verify_live(selfie).decision, desk.of().use()

    assert request() == ("verified", FIRST)
    desk.clock.advance(9 * 86_400)
    assert request() == ("verified", AGAIN)
    desk.store = desk.opened(threshold=90)
    assert request() == ("verified", AGAIN), "also after a change of the verifier's settings"
    with pytest.raises(fm.AlreadyUsed):
        request(OTHER)
    assert desk.of().find().used_at is not None
    assert desk.operations == "lm"
    desk.store = desk.opened()
    desk.store.erase("customer-17")
    assert request() == ("verified", FIRST)
    assert desk.operations == "lmlm"


def test_refused_pictures_of_a_matter_stay_refused_after_its_use(desk):
    desk.backend.script[:] = [live(), NO_MATCH]
    assert desk.verify_live(OTHER).decision == "no_match"
    assert desk.verify_live().is_verified
    assert desk.of().use()
    assert desk.verify_live(OTHER).decision == "no_match"
    assert desk.operations == "lmlm"


def test_only_the_first_use_is_true_and_each_has_a_text():
    assert [bool(use) for use in fm.Use] == [True, False, False]
    assert json.dumps(list(fm.Use)) == '["first", "again", "no"]'


def test_old_verdict_is_not_returned_again_and_not_used(open_desk):
    desk = open_desk(max_age_s=600)
    case = desk.of()
    case.verify_live(SELFIE, DOCUMENT)
    desk.clock.advance(600)
    assert case.why_not() == ()
    desk.clock.advance(1)
    assert case.why_not() == ("it was begun 601 s ago",)
    assert not case.use()
    case.verify_live(SELFIE, DOCUMENT)
    assert desk.operations == "lmlm"
    assert case.use()


@pytest.mark.parametrize("seconds", [math.inf, 1e9])
def test_verdict_of_any_age_may_be_used(open_desk, seconds):
    desk = open_desk(max_age_s=seconds)
    desk.verify_live()
    desk.clock.advance(1e7)
    desk.verify_live()
    assert (desk.operations, desk.of().use()) == ("lm", FIRST)


def test_twenty_logins_each_count_as_the_first_attempt(desk):
    case = desk.of(case=LOGIN)
    assert all(case.verify_live(SELFIE, DOCUMENT).is_verified and case.use() for _ in range(20))
    assert desk.operations == "lm" * 20


def test_attempts_are_limited_until_the_window_is_over(open_desk):
    desk = open_desk(attempts=3)
    desk.backend.score = 10
    for number in range(3):
        desk.verify_live(picture((50 * number, 0, 0)))
        desk.clock.advance(60)
    with pytest.raises(fm.TooManyAttempts) as caught:
        desk.verify_live(picture((0, 200, 0)))
    assert caught.value.retry_after_s == pytest.approx(86_400 - 180)
    assert caught.value.billing.charged is fm.Charged.NO
    assert desk.operations == "lll"
    desk.verify_live(picture((100, 0, 0)))  # the stored verdict is no attempt
    desk.of("customer-18").verify_live(SELFIE, DOCUMENT)
    desk.clock.advance(caught.value.retry_after_s)
    desk.verify_live(picture((0, 200, 0)))
    with pytest.raises(fm.TooManyAttempts):
        desk.verify_live(picture((0, 0, 200)))


def test_only_verify_live_counts_unless_liveness_is_not_needed(open_desk):
    desk = open_desk()
    case = desk.of()
    assert case.verify(SELFIE, DOCUMENT).is_match
    assert case.why_not() == ("only a match was checked",)
    assert not case.use()
    desk.store = desk.opened(needs_liveness=False)
    # A live face shows nobody's identity.
    assert desk.of().check_liveness(SELFIE).is_live
    assert desk.of().why_not() == ("only a liveness was checked",)
    assert not desk.of().use()
    assert desk.of().verify(SELFIE, DOCUMENT).is_match
    assert desk.of().use()


@pytest.mark.parametrize(
    ("made_with", "used_with"),
    [
        ({"threshold": 60}, {"threshold": 90}),
        ({"review_threshold": 60}, {"review_threshold": 79}),
        ({}, {"require_environment": "production"}),
        ({"backend": FakeBackend(environment=fm.Environment.MOCK)}, {"backend": FakeBackend()}),
        ({"backend": FakeBackend(environment=fm.Environment.SANDBOX)}, {"backend": FakeBackend()}),
    ],
    ids=["threshold", "review", "required", "mock", "sandbox"],
)
def test_verdict_counts_only_with_the_settings_that_the_verifier_requires_now(
    open_desk, made_with, used_with
):
    desk = open_desk(**made_with)
    assert desk.verify_live().is_verified
    assert desk.of().why_not() == ()
    backend = used_with.pop("backend", None) or desk.backend
    desk.backend = backend
    desk.store = desk.opened(**used_with)
    sent = len(backend.calls)
    assert not desk.of().use()
    (reason,) = desk.of().why_not()
    assert "have changed since" in reason
    desk.verify_live()
    assert len(backend.calls) > sent


def test_mock_that_states_itself_is_no_yes_for_a_verifier_that_requires_nothing(open_desk):
    backend = FakeBackend(environment=None)
    desk = open_desk(backend=backend, needs_liveness=False)
    backend.script[:] = [
        match_result(score=fm.Score(80, "fake/v1"), environment=fm.Environment.MOCK)
    ]
    assert desk.of().verify(SELFIE, DOCUMENT).is_match
    assert not desk.of().use()
    assert "production" in desk.of().why_not()[0]


def test_free_failure_leaves_nothing_and_is_no_attempt(desk):
    desk.backend.script[:] = [fm.RateLimited("Too many calls.")]
    with pytest.raises(fm.RateLimited):
        desk.verify_live()
    assert desk.rows() == []
    assert desk.of().find() is None
    assert desk.verify_live().is_verified


def test_comparison_that_failed_free_of_charge_is_paid_alone(desk):
    desk.backend.script[:] = [live(), fm.RateLimited("Too many calls.")]
    with pytest.raises(fm.RateLimited) as caught:
        desk.verify_live()
    assert caught.value.liveness.is_live
    assert not desk.of().use()
    assert desk.verify_live().is_verified
    assert desk.operations == "lmm"
    assert desk.of().use()
    assert len(desk.rows()) == 1


def test_lost_answer_is_never_paid_again_unless_given_up(desk):
    error = desk.lose()
    for selfie in (SELFIE, OTHER):
        with pytest.raises(fm.OutcomeUnknown) as caught:
            desk.verify_live(selfie)
        assert caught.value.call.id == error.call.id
    assert desk.operations == "l"
    (unknown,) = desk.store.unknown()
    assert (unknown.is_unknown, unknown.result, unknown.call.id) == (True, None, error.call.id)
    assert not desk.of().use()
    assert desk.of().give_up()
    assert not desk.of().give_up()
    assert desk.verify_live().is_verified
    assert desk.operations == "llm"
    assert desk.of().use()


@pytest.mark.parametrize(
    "error",
    [
        fm.VendorError("500"),
        fm.VendorUnavailable("503", billing=fm.Billing(fm.Charged.UNKNOWN)),
        fm.RequestRejected("400", billing=fm.Billing(fm.Charged.YES)),
        fm.UnexpectedResponse("no JSON"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_that_may_have_been_charged_locks_the_case_until_it_is_given_up(desk, error):
    desk.backend.script[:] = [error]
    with pytest.raises(type(error)):
        desk.verify_live()
    for selfie in (SELFIE, OTHER):
        with pytest.raises(fm.OutcomeUnknown) as caught:
            desk.verify_live(selfie)
        assert caught.value.call is not None
    assert desk.operations == "l"
    assert [each.is_unknown for each in desk.store.unknown()] == [True]
    assert desk.of().give_up()
    assert desk.verify_live().is_verified


def test_given_up_check_is_an_attempt(open_desk):
    desk = open_desk(attempts=1)
    desk.lose()
    desk.of().give_up()
    with pytest.raises(fm.TooManyAttempts):
        desk.verify_live()


def test_lost_comparison_leaves_the_paid_liveness(desk):
    error = desk.lose(before=[live()])
    assert error.liveness.is_live
    assert desk.of().give_up()
    assert desk.verify_live().is_verified
    assert desk.operations == "lmm"


@pytest.mark.parametrize(
    ("charged", "is_free"), [(fm.Charged.NO, True), (fm.Charged.YES, False)], ids=["free", "paid"]
)
def test_call_that_was_cancelled_between_its_requests_is_repeated_if_it_was_free(
    desk, charged, is_free
):
    desk.backend.script[:] = [CallCancelled(fm.Billing(charged, "the script says so"))]
    with pytest.raises(CallCancelled):
        desk.verify_live()
    if is_free:
        assert desk.verify_live().is_verified
    else:
        with pytest.raises(fm.OutcomeUnknown):
            desk.verify_live()
    assert desk.operations == ("llm" if is_free else "l")


def test_liveness_that_is_found_late_does_not_hide_a_comparison_under_way(desk, monkeypatch):
    search = Hold()
    found = live()
    calls_under_way = []

    def reconcile(call, **_options):
        search()
        outcome = fm.Reconciled.FOUND
        return fm.Reconciliation(outcome=outcome, call=call, reason="found", result=found)

    monkeypatch.setattr(desk.store.verifier, "reconcile", reconcile)

    with ThreadPoolExecutor() as threads:

        def answer_liveness(_request):
            desk.clock.advance(making.LEASE_S + 1)  # it was suspended
            searches.append(threads.submit(desk.store.reconcile))
            search.wait_for()
            return found

        def compare(_request):
            search.go_on.set()
            searches[0].result()
            calls_under_way.extend(desk.rows("call"))

        searches = []
        desk.backend.script[:] = [answer_liveness, compare]
        assert desk.verify_live().is_verified
    # If its process had been killed now, the next one would know that it may have been paid.
    assert '"match"' in calls_under_way[0]["call"]


@pytest.mark.parametrize("is_lost", [True, False], ids=["found late", "answered late"])
def test_late_verdict_of_a_given_up_check_is_not_used(open_desk, monkeypatch, is_lost):
    desk = open_desk(needs_liveness=False)
    case = desk.of()
    matches = match_result(score=fm.Score(80, "fake/v1"))

    def give_up_and_verify(*_arguments, **_options):
        desk.clock.advance(making.LEASE_S)  # its process was suspended
        assert case.give_up()
        desk.backend.script[:] = [NO_MATCH]
        assert not case.verify(OTHER, DOCUMENT).is_match
        return matches

    if is_lost:
        desk.backend.script[:] = [fm.OutcomeUnknown("The answer was lost.")]
        with pytest.raises(fm.OutcomeUnknown):
            case.verify(SELFIE, DOCUMENT)

        def reconcile(call, **_options):
            found = give_up_and_verify()
            outcome = fm.Reconciled.FOUND
            return fm.Reconciliation(outcome=outcome, call=call, reason="found", result=found)

        monkeypatch.setattr(desk.store.verifier, "reconcile", reconcile)
        assert case.reconcile().result.is_match
    else:
        desk.backend.script[:] = [give_up_and_verify]
        assert case.verify(SELFIE, DOCUMENT).is_match
    assert not case.use()
    assert case.why_not() == ("the check is no_match",)


def test_concurrent_clicks_are_paid_once(open_desk, monkeypatch):
    monkeypatch.setattr(making, "_POLL_S", 0.01)
    desk = open_desk(clock=fm.base.deadline.SystemClock())
    results = together(8, desk.verify_live)
    assert [each.is_verified for each in results] == [True] * 8
    assert desk.operations == "lm"
    assert sorted(together(8, desk.of().use)) == [AGAIN] * 7 + [FIRST]


@pytest.mark.parametrize(
    ("task", "charges"), [("click", 1), ("click four pictures", 4)], ids=["same", "four"]
)
def test_64_clicks_in_four_processes_pay_each_picture_once(address, tmp_path, task, charges):
    file = tmp_path / "charges"
    assert count_yes(address, file, task) == 64
    assert len(file.read_text().splitlines()) == charges


def test_one_of_64_uses_in_four_processes_is_true(open_desk, tmp_path):
    desk = open_desk(clock=fm.base.deadline.SystemClock(), needs_liveness=False)
    desk.verify_live()
    assert count_yes(desk.address, tmp_path / "charges", "use") == 1


def test_64_whole_requests_in_four_processes_are_paid_out_once(address, tmp_path):
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE payouts (number INTEGER)"))
    file = tmp_path / "charges"
    assert count_yes(address, file, "whole request") == 64
    with engine.connect() as connection:
        paid = connection.execute(sqlalchemy.text("SELECT count(*) FROM payouts")).scalar_one()
    engine.dispose()
    assert (paid, len(file.read_text().splitlines())) == (1, 2)


def test_click_that_waited_for_a_verdict_gets_it_although_it_was_used_at_once(
    open_desk, monkeypatch
):
    desk = open_desk(clock=fm.base.deadline.SystemClock())
    hold = Hold()
    desk.backend.script[:] = [hold]

    def verify_and_use():
        desk.verify_live()
        return desk.of().use()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(verify_and_use)
        hold.wait_for()

        def wait_for(*_arguments):
            hold.go_on.set()
            assert first.result(30)

        monkeypatch.setattr(making, "_wait_for", wait_for)
        assert desk.verify_live().is_verified
    assert desk.operations == "lm"
    assert not desk.of().use()


def test_click_whose_verdict_is_used_meanwhile_gets_it(desk, monkeypatch):
    desk.verify_live()
    desk.verify_live(OTHER, DOCUMENT)
    return_again = making._return_again  # noqa: SLF001 - another process comes before it

    def use_meanwhile(*arguments):
        monkeypatch.setattr(making, "_return_again", return_again)
        desk.clock.advance(1)
        desk.verify_live()
        assert desk.of().use()
        return return_again(*arguments)

    monkeypatch.setattr(making, "_return_again", use_meanwhile)
    assert desk.verify_live().is_verified
    assert desk.operations == "lmlm"


def test_click_pays_a_verdict_that_only_a_newer_release_can_read(desk):
    desk.verify_live()
    engine = sqlalchemy.create_engine(desk.address)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE facematch_checks SET result = '{}'"))
    engine.dispose()
    assert desk.verify_live().is_verified
    assert desk.operations == "lmlm"
    assert [desk.of().use() for _ in range(2)] == [FIRST, AGAIN]


def test_click_during_a_slow_check_raises_after_ten_seconds(open_desk):
    desk = open_desk()

    def click_again(_request):
        with pytest.raises(fm.CheckUnderWay):
            desk.verify_live(OTHER)
        assert desk.of().find().is_under_way
        assert desk.of().why_not() == ("the check is under way",)
        assert not desk.of().use()

    desk.backend.script[:] = [click_again]
    before_s = desk.clock.monotonic()
    assert desk.verify_live().is_verified
    assert desk.clock.monotonic() - before_s == pytest.approx(making.WAIT_S, abs=1)


def test_check_of_a_process_that_died_before_it_sent_is_made_by_the_next(desk, monkeypatch):
    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(making, "_make_calls", die)
        with pytest.raises(KeyboardInterrupt):
            desk.verify_live()
    assert len(desk.rows()) == 1
    desk.clock.advance(making.LEASE_S)
    assert desk.verify_live().is_verified
    assert len(desk.rows()) == 1


def test_process_that_was_suspended_before_its_call_sends_nothing_once_it_was_taken_over(
    desk, monkeypatch
):
    name = "_make_calls"
    suspended = getattr(making, name)

    def take_over(*arguments):
        monkeypatch.setattr(making, name, suspended)
        desk.clock.advance(making.LEASE_S)
        assert desk.verify_live().is_verified
        return suspended(*arguments)

    monkeypatch.setattr(making, name, take_over)
    with pytest.raises(fm.CheckUnderWay):
        desk.verify_live()
    assert desk.operations == "lm"
    assert len(desk.rows()) == 1
    assert desk.of().use()


def test_checks_begun_before_a_backup_are_closed(desk):
    case = desk.of()
    case.verify_live(SELFIE, DOCUMENT)
    assert desk.store.close_begun_before(desk.clock.now() - dt.timedelta(seconds=1)) == 0
    assert case.why_not() == ()
    assert desk.store.close_begun_before(desk.clock.now()) == 1
    assert (case.use(), case.find()) == (NO, None)
    case.verify_live(SELFIE, DOCUMENT)
    assert (desk.operations, case.use()) == ("lmlm", FIRST)
    with pytest.raises(fm.InvalidRequest):
        desk.store.close_begun_before(dt.datetime(2026, 1, 1))


def test_many_old_checks_are_closed_and_forgotten_in_batches(desk, monkeypatch):
    monkeypatch.setattr("facematch_core.store.table._BATCH", 3)
    for number in range(8):  # all begun at the same moment
        desk.of(f"customer-{number}").verify_live(SELFIE, DOCUMENT)
    assert desk.of("customer-4").use()
    desk.clock.advance(1)
    closed = [desk.store.close_begun_before(desk.clock.now()) for _ in range(2)]
    assert closed == [7, 0]
    assert desk.of("customer-4").find().used_at is not None
    assert len(desk.store.forget(0)) == 16
    assert (desk.store.forget(0), desk.rows()) == ((), [])


def test_used_check_stays_the_one_of_its_matter_in_a_database_of_an_earlier_release(desk):
    desk.verify_live()
    used = desk.of().find().id
    desk.verify_live(OTHER)
    assert desk.of().find().id != used
    engine = sqlalchemy.create_engine(desk.address)
    with engine.begin() as connection:
        use = f"UPDATE facematch_checks SET used_at = begun_at WHERE id = '{used}'"
        connection.execute(sqlalchemy.text(use))
    engine.dispose()
    assert desk.of().find().id == used
    assert not desk.of().use()


def test_unknown_check_begun_before_a_backup_is_still_not_paid_again(desk):
    desk.lose()
    assert desk.store.close_begun_before(desk.clock.now()) == 1
    with pytest.raises(fm.OutcomeUnknown):
        desk.verify_live()


def test_table_has_no_picture_name_or_plain_reference(desk):
    route = fm.models.Route(skipped=(fm.models.Skipped(backend="x", reason="Y", message="Ada"),))
    desk.backend.script[:] = [live(), match_result(raw={"name": "Ada"}, route=route)]
    case = desk.store.of("Ada Lovelace", purpose="Ada's purpose", about="Ada's matter")
    case.verify_live(SELFIE, DOCUMENT, caller_ref="Ada's case", metadata={"name": "Ada"})
    desk.backend.script[:] = [fm.OutcomeUnknown("Ada was lost.")]
    with pytest.raises(fm.OutcomeUnknown):
        case.verify_live(
            OTHER, DOCUMENT, caller_ref="Ada's case", metadata={"name": "Ada"}, anew=True
        )
    rows = desk.rows()
    assert len(rows) == 2
    assert "Ada" not in str(rows)
    assert "Ada" not in repr((case, desk.store, case.find(), desk.store.unknown()))


@pytest.mark.parametrize(
    "arguments",
    [{"attempts": 0}, {"attempts": 2.0}, {"max_age_s": 0}],
    ids=str,
)
def test_invalid_arguments_are_refused(open_desk, arguments):
    with pytest.raises(fm.ConfigurationError):
        open_desk(**arguments)


def test_thresholds_of_a_call_are_refused(desk):
    with pytest.raises(TypeError, match="threshold"):
        desk.verify_live(threshold=60)
    assert desk.operations == ""
