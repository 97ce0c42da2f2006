"""The one matrix of faults: what the client says, what both sides' books say, what leaks."""

import itertools
import logging
from functools import partial

import attrs
import pytest
from kit import canaries, traces
from kit.fakes import picture
from kit.money import faults, sessions
from kit.money.lines import PAID, TwoVendors
from kit.watched import CALLERS_DATA, hits, watch

import facematch_core as fm
from facematch_core.resilience import BreakerState, CircuitBreaker
from facematch_mock_server import Fault
from facematch_mock_server.world.faults import POSSIBLE, Stage

SLOW = pytest.mark.slow
#: One of each kind that the client can tell apart, and none that is about time.
NAMES_OF_SOME = {
    "mid_upload-reset",
    "after_upload-truncate-executed",
    "mid_body-truncate",
    "answer-html-502",
    "answer-json-500",
    "answer-wrong_json-200-executed",
    "answer-status-401",
    "answer-status-402",
    "answer-status-429",
}
SOME = [case for case in faults.CASES if str(case) in NAMES_OF_SOME]
QUICK = [faults.NO_FAULT, faults.NOBODY_LISTENS, *SOME]
EACH_CASE = [
    pytest.param(case, id=str(case), marks=() if case in QUICK else SLOW) for case in faults.CASES
]


def test_every_fault_at_every_stage_has_a_case():
    cases = {(case.stage, case.kind) for case in (*faults.FAULTS, *faults.UNREADABLE)}
    assert cases == {(stage, kind) for stage, kinds in POSSIBLE.items() for kind in kinds}
    done = {(case.kind, case.executed) for case in faults.FAULTS if case.stage == "after_upload"}
    assert done == {(kind, way) for kind in POSSIBLE[Stage.AFTER_UPLOAD] for way in (False, True)}


def watched(search, verifier, events, **options):
    """Make a call, and search what it leaves behind; its result or its error."""
    ended, texts = watch(verifier, events, **CALLERS_DATA, **options)
    assert search(texts, verifier.backend) == {}
    return ended


@pytest.fixture
def search(caplog, capfd):
    """Looks for canaries in texts, the log and what was printed."""
    # Drawn before anything is watched: Pillow logs what the tests write.
    canaries.probe(), canaries.reference()
    caplog.set_level(logging.DEBUG)

    def look(texts, backend):
        output = capfd.readouterr()
        texts |= traces.of_text("output", output.out + output.err) | traces.of_log(caplog.records)
        return hits(texts, backend=backend, limits=backend.capabilities.image_limits)

    return look


@pytest.mark.parametrize("vendor", sorted(PAID))
@pytest.mark.parametrize("case", EACH_CASE)
def test_fault_determines_error_charge_and_later_state(vendor, case, search):
    version = faults.VERSIONS[vendor][-1]
    plain = faults.call_outcome(vendor, version, "no gate", case, by=partial(watched, search))
    assert plain == faults.expected_outcome(vendor, "no gate", case)
    assert sum(plain.charges) <= 1
    for setting in ("all gates", "failover"):
        outcome = faults.call_outcome(vendor, version, setting, case)
        assert outcome == faults.expected_outcome(vendor, setting, case), setting


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("vendor", sorted(PAID))
def test_timeout_after_sending_leaves_the_charge_unknown(vendor, executed, search):
    late = faults.Breakage(
        "after_upload", "delay", {"seconds": faults.LONG_SILENCE_S, "executed": executed}
    )
    by = partial(watched, search, deadline_s=20.0)
    outcome = faults.call_outcome(vendor, faults.VERSIONS[vendor][0], "budget", late, by=by)
    lost = faults.expected_outcome(vendor, "budget", late)
    assert outcome == attrs.evolve(lost, error="DeadlineExceeded")


@pytest.mark.parametrize("setting", sorted({*faults.GATES} - {"no gate", "all gates", "failover"}))
@pytest.mark.parametrize("vendor", sorted(PAID))
def test_each_policy_handles_each_kind_of_fault(vendor, setting):
    """A slow test has all faults with all gates."""
    for version in faults.VERSIONS[vendor]:
        for case in QUICK[:7]:
            outcome = faults.call_outcome(vendor, version, setting, case)
            assert outcome == faults.expected_outcome(vendor, setting, case), case


@pytest.mark.slow
@pytest.mark.parametrize("setting", faults.GATES)
@pytest.mark.parametrize("vendor", sorted(PAID))
def test_all_faults_with_all_policies_end_as_expected(vendor, setting):
    for version, case in itertools.product(faults.VERSIONS[vendor], faults.CASES):
        outcome = faults.call_outcome(vendor, version, setting, case)
        assert outcome == faults.expected_outcome(vendor, setting, case), (version, case)


@pytest.mark.slow
@pytest.mark.parametrize("setting", sessions.GATES)
@pytest.mark.parametrize("operation", sessions.OPERATIONS)
@pytest.mark.parametrize("vendor", sorted(sessions.BACKENDS))
def test_all_session_faults_with_all_policies_end_as_expected(vendor, operation, setting):
    for case in faults.CASES:
        outcome = sessions.session_outcome(vendor, operation, setting, case)
        expected = sessions.expected_session_outcome(vendor, operation, setting, case)
        assert outcome == expected, case


@pytest.mark.parametrize("operation", sessions.OPERATIONS)
@pytest.mark.parametrize("vendor", sorted(sessions.BACKENDS))
def test_session_fault_determines_error_and_whether_a_restart_duplicates(vendor, operation):
    """A slow test has all settings and all faults."""
    for case in QUICK:
        outcome = sessions.session_outcome(vendor, operation, "budget", case)
        assert outcome == sessions.expected_session_outcome(vendor, operation, "budget", case), case


@pytest.mark.parametrize("deadline_s", [20.0, None])
def test_five_calls_without_a_response_may_be_charged_before_the_breaker_opens(deadline_s):
    """With the numbers that the pages recommend, whether the caller or the time-out ends them."""
    world = TwoVendors()
    breaker = CircuitBreaker(clock=world.clock)
    verifier = fm.FaceVerifier(world.backend("didit"), policies=[breaker], clock=world.clock)
    hangs = Fault(stage="after_upload", kind="delay", seconds=180, executed=True, times=5)
    world.control("didit").add_fault(hangs)
    ends = []
    for _ in range(8):
        with pytest.raises(fm.VendorError) as caught:
            verifier.verify(picture(), picture((1, 2, 3)), deadline_s=deadline_s)
        ends.append(type(caught.value))
    lost = fm.OutcomeUnknown if deadline_s is None else fm.DeadlineExceeded
    assert ends == [lost] * 5 + [fm.BreakerOpen] * 3
    assert len(world.charges("didit")) == 5
    world.mock.control.advance(breaker.open_s)
    assert verifier.verify(picture(), picture((1, 2, 3))).is_match
    assert breaker.state is BreakerState.CLOSED
    world.close()
