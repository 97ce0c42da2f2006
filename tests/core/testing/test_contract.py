"""What the contract lets its author change, and what an author reads of rules that failed."""

import contextlib
import importlib
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from kit.contract import Status, failures, rules, run
from mutants.making import http, vendor
from mutants.reference import (
    KEY,
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
)
from mutants.sessions import Player, SessionVendor, session
from mutants.table import MUTANTS

import facematch_core.testing
from facematch_core import Charged, ConfigurationError, RequestRejected
from facematch_core.backend.base import fault_listeners
from facematch_core.backend.session_types import SessionHint
from facematch_core.http import BodyShape, ErrorRow, rows
from facematch_core.testing import BackendContract, SessionSimulator, Situation
from facematch_core.testing.bench import Bench
from facematch_core.testing.contract.calls import RETRY_AFTER_VALUES
from facematch_core.testing.simulator import required_situations

#: Numbers of rules that are there no more: none is given a second time.
GONE = {1, 4, 5, 6, 7, 9, 11, 13, 18, 19, 20, 22, 23, 26, 27, 28, 29, 62, 63}
GONE.update(range(30, 38))
GONE.update(range(40, 50))


def test_numbers_of_removed_rules_are_not_reused():
    assert not GONE & {int(number[1:]) for number in rules()}


def test_refusals_of_every_status_come_with_every_wait():
    statuses = set()
    waits = set()

    def error(me, ok, reply, call):
        statuses.add(reply.status)
        waits.add(reply.headers.get("Retry-After"))
        return ok(reply, call)

    assert not failures(run(http("R38", "Listens", "", error=error).make, {"R38"}))
    assert waits >= set(RETRY_AFTER_VALUES)
    assert statuses >= {400, 401, 429, 503}


def test_a_rule_cannot_be_replaced():
    for replacement in (lambda self: None, None):
        changed = {"test_r02_score_lies_on_its_scale": replacement}
        with pytest.raises(TypeError, match=r"Weak changes the rule test_r02_score"):
            type("Weak", (BackendContract,), changed)
        with pytest.raises(TypeError, match="changes the rule test_r02"):
            type("Sly", (type("Mixin", (), changed), BackendContract), {})
    with pytest.raises(TypeError, match="changes the rule _r51_passing_calls"):
        type("Partly", (BackendContract,), {"_r51_passing_calls": lambda self, bench: None})


@pytest.mark.parametrize(
    "mark", [pytest.mark.skip(reason="no"), pytest.mark.xfail, pytest.mark.xfail(reason="")]
)
def test_overridden_rule_needs_an_xfail_with_a_reason(mark):
    @mark
    def muted(self, bench):
        pass

    with pytest.raises(TypeError, match="changes the rule test_r12"):
        type("Mute", (BackendContract,), {"test_r12_two_faces_are_told": muted})


def test_known_failure_may_be_declared_as_xfail():
    class KnownContract(BackendContract):
        @pytest.mark.xfail(reason="Acme says to nobody how many faces it saw", strict=True)
        def test_r12_two_faces_are_told(self, bench):
            super().test_r12_two_faces_are_told(bench)

    assert type("Heir", (KnownContract,), {}).test_r12_two_faces_are_told


def test_contract_without_a_simulator_fixture_is_an_error():
    fixture = BackendContract.simulator
    with pytest.raises(NotImplementedError, match="BackendContract needs a fixture `simulator`"):
        next(fixture.__wrapped__(BackendContract()))


def test_missing_pytest_is_reported_with_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ImportError, match="needs pytest: ") as caught:
        importlib.reload(facematch_core.testing)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)


def failed(cases):
    return [case for case in cases if case.status is Status.FAILED]


def test_rules_that_depend_on_a_failed_rule_are_skipped():
    cases = tuple(run(MUTANTS["LooksForAnotherName"].make))
    [failure] = failed(cases)
    assert failure.rule == "R51"
    assert failure.reason.startswith("the plug-in failed: ")
    skipped = {case.reason for case in cases if case.status is Status.NOT_JUDGED}
    assert skipped == {"R51"}
    assert not {case.rule for case in cases if case.status is Status.OPEN}


def test_one_cause_fails_only_one_rule():
    """A backend that cannot be opened fails each rule in the same words."""

    class Closed(ReferenceBackend):
        def __init__(self, *settings):
            raise ConfigurationError("It cannot be opened.")

    cases = tuple(run(lambda: ReferenceSimulator(Closed)))
    assert len(failed(cases)) == 1
    assert {case.rule for case in cases} == set(rules())
    assert {case.status for case in cases} == {Status.FAILED, Status.NOT_JUDGED}


def test_skip_reason_says_whether_the_simulator_lacks_a_situation():
    class Poor(ReferenceSimulator):
        situations = required_situations(ReferenceBackend.capabilities) | {Situation.BAD_KEY}

    without_situation, without_http = run(Poor, {"R14", "R38"})
    assert without_situation.status is Status.OPEN
    assert without_situation.reason.startswith("Poor cannot produce SMALLER_FACE_MATCHES. ")
    assert without_http.status is Status.DOES_NOT_APPLY
    assert without_http.reason == "reference is not an HttpBackend, so responses cannot be changed."


def test_rule_that_is_not_tested_fails_unless_the_class_says_why():
    class Poor(ReferenceSimulator):
        situations = required_situations(ReferenceBackend.capabilities) | {Situation.BAD_KEY}

    class Known(BackendContract):
        not_tested: ClassVar = {"R14": "no page says which face is compared"}

    def play(contract):
        with Poor() as simulator, contextlib.closing(Bench(simulator)) as bench:
            contract().test_r14_largest_face_decides(bench)

    with pytest.raises(pytest.fail.Exception, match=r"^not tested: Poor .*`not_tested` of Backend"):
        play(BackendContract)
    with pytest.raises(pytest.skip.Exception, match=r"^not tested: no page says"):
        play(Known)


def test_skip_by_the_author_of_a_simulator_stays_a_skip():
    class Absent(ReferenceSimulator):
        def set_situation(self, *arguments, **options):
            pytest.skip("no network")

    with (
        Absent() as simulator,
        contextlib.closing(Bench(simulator)) as bench,
        pytest.raises(pytest.skip.Exception, match=r"^no network$"),
    ):
        BackendContract().test_r14_largest_face_decides(bench)


@pytest.mark.parametrize("not_tested", [{"R1": "it is none"}, {"R14": ""}, {"R14": None}])
def test_not_tested_names_rules_and_reasons(not_tested):
    with pytest.raises(TypeError, match="not_tested has "):
        type("Odd", (BackendContract,), {"not_tested": not_tested})


def test_plug_in_exception_is_reported_with_its_line_and_no_secret():
    class Rude(ReferenceBackend):
        def refusal(self, status):
            if status == 401:
                raise OSError(f"{self.key.reveal()} is refused")
            return super().refusal(status)

    [case] = failed(run(lambda: ReferenceSimulator(Rude), {"R16"}))
    assert case.name == "bad_key"
    assert case.reason.startswith("the plug-in failed: its own code raised OSError: *** is refused")
    assert f"({Path(__file__).name}, line " in case.reason


def test_simulator_exception_is_not_reported_as_a_plug_in_failure():
    class Broken(HttpReferenceSimulator):
        def answer(self, request, situation, score):
            return {}["port"]

    listening = len(fault_listeners)
    cases = list(run(Broken, {"R51", "R16"}))
    [failure] = failed(cases)
    assert failure.reason.startswith(
        f"the simulator failed: KeyError: 'port' ({Path(__file__).name}, line "
    )
    assert " in Broken.answer, at POST /match: " in failure.reason
    cases.remove(failure)
    assert {(case.status, case.reason) for case in cases} == {(Status.NOT_JUDGED, "R51")}
    assert len(fault_listeners) == listening


@pytest.mark.parametrize(
    ("mutant", "reason"),
    [
        pytest.param(
            MUTANTS["NamesItsKeyInClear"],
            "POST /match sends `api_key` as plain text",
            id="key as plain text",
        ),
        pytest.param(
            session("R57", "FailsAtWebhooks", "", hint=lambda me, ok, body: SessionHint()),
            "TypeError",
            id="error at webhooks",
        ),
        pytest.param(
            MUTANTS["ReadsFirst"],
            "a forged webhook with the headers ",
            id="forged webhook",
        ),
        pytest.param(
            MUTANTS["NoSandbox"],
            "the `environment` of a session in SANDBOX is not what the response states",
            id="wrong environment",
        ),
    ],
)
def test_failure_names_its_cause(mutant, reason):
    [case] = failed(run(mutant.make, {mutant.rule}))
    assert case.reason.startswith("the plug-in failed: ")
    assert reason in case.reason


class DocumentsNoCharge(HttpReference):
    """Refuses a field, and no page says what that costs."""

    error_table = rows(
        [400],
        ErrorRow(RequestRejected, Charged.UNKNOWN, "no page says", "not accepted"),
        [BodyShape.JSON_OBJECT],
    )


@pytest.mark.parametrize("rule", ["R16", "R38"])
def test_unknown_charge_of_a_refusal_is_declared_in_the_simulator(rule):
    told = {"price_unknown": frozenset({Situation.REJECTED})}

    def make(**changes):
        simulator = type("Charging", (HttpReferenceSimulator,), changes)
        return lambda: simulator(DocumentsNoCharge)

    assert not failures(run(make(**told), {rule}))
    [case] = failed(run(make(), {rule}))
    assert "OutcomeUnknown" in case.reason
    assert "`price_unknown`" in case.reason


def test_secret_of_the_simulator_is_named_by_its_place():
    class Prefix(HttpReferenceSimulator):
        secrets = (KEY, KEY[:12])

    [case] = failed(run(Prefix, {"R51"}))
    assert "`secrets[1]` of Prefix" in case.reason


def test_unknown_lifetime_of_a_link_is_not_tested():
    class Silent(Player):
        lasts_s = SessionSimulator.lasts_s

    [case] = run(vendor(SessionVendor, player=Silent), {"R52"})
    assert case.status is Status.OPEN
    assert "`lasts_s`" in case.reason
