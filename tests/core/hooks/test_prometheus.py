import importlib
import sys

import pytest
from kit.fakes import PROBE, REFERENCE, FakeBackend, match_result
from kit.sessions import Acme
from prometheus_client import CollectorRegistry

import facematch_core as fm
from facematch_core.hooks import prometheus
from facematch_core.hooks.prometheus import count_calls
from facematch_core.resilience import Retry


@pytest.fixture
def registry():
    return CollectorRegistry()


def samples(registry, name):
    """The values of a metric that are not 0, by its labels in alphabetical order."""
    values = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name == name and sample.value:
                values[tuple(text for _, text in sorted(sample.labels.items()))] = sample.value
    return values


def test_calls_are_counted_by_decision_error_and_charge(registry):
    free = match_result(billing=fm.Billing(fm.Charged.NO, "free"))
    script = [None, free, fm.OutcomeUnknown("lost"), fm.RequestRejected("no")]
    verifier = fm.FaceVerifier(FakeBackend(script=script), on_event=count_calls(registry))
    verifier.verify(PROBE, REFERENCE)
    verifier.verify(PROBE, REFERENCE)
    for error_class in (fm.OutcomeUnknown, fm.RequestRejected):
        with pytest.raises(error_class):
            verifier.check_liveness(PROBE)
    # backend, charged, decision, environment, error, operation
    assert samples(registry, "facematch_calls_total") == {
        ("fake", "yes", "match", "production", "", "match"): 1,
        ("fake", "no", "review", "production", "", "match"): 1,
        ("fake", "unknown", "", "production", "OutcomeUnknown", "liveness"): 1,
        ("fake", "no", "", "production", "RequestRejected", "liveness"): 1,
    }
    assert samples(registry, "facematch_call_seconds_count") == {
        ("fake", "production", "match"): 2,
        ("fake", "production", "liveness"): 2,
    }


def test_duration_of_a_call_includes_its_retries(registry, clock):
    errors = [fm.RateLimited("wait", retry_after_s=20.0), fm.VendorUnavailable("unreachable")]
    verifier = fm.FaceVerifier(
        FakeBackend(script=errors, environment=None),
        retry=Retry(),
        clock=clock,
        on_event=count_calls(registry),
    )
    verifier.verify(PROBE, REFERENCE)
    assert samples(registry, "facematch_retries_total") == {
        ("fake", "unknown", "RateLimited", "match"): 1,
        ("fake", "unknown", "VendorUnavailable", "match"): 1,
    }
    (seconds,) = samples(registry, "facematch_call_seconds_sum").values()
    assert seconds == pytest.approx(sum(clock.slept))
    assert seconds >= 20
    assert sum(samples(registry, "facematch_calls_total").values()) == 1


def test_sessions_are_counted_by_start_and_follow_up(registry):
    backend = Acme({}, {}, fm.RequestRejected("no"))
    verifier = fm.FaceVerifier(backend, on_event=count_calls(registry))
    sessions = fm.Sessions(verifier, compared_with="document")
    record = sessions.start(sessions.plan("c", purpose="payout", about="order-1")).record
    sessions.read(record)
    with pytest.raises(fm.RequestRejected):
        sessions.delete(record)
    assert samples(registry, "facematch_calls_total") == {
        ("acme", "yes", "", "production", "", "session"): 1
    }
    assert samples(registry, "facematch_follow_ups_total") == {
        ("acme", "production", "", "session"): 1,
        ("acme", "production", "RequestRejected", "session"): 1,
    }


def test_verifiers_share_the_metrics_of_a_registry(registry):
    assert count_calls() is count_calls()
    for _ in range(2):
        fm.FaceVerifier(FakeBackend(), on_event=count_calls(registry)).verify(PROBE, REFERENCE)
    assert sum(samples(registry, "facematch_calls_total").values()) == 2


def test_missing_package_is_named_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ImportError, match=r"pip install .*prometheus-client"):
        importlib.reload(prometheus)
