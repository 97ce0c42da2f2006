import pytest
from kit.fakes import PROBE, REFERENCE, FakeBackend

import facematch_core as fm


class Other(FakeBackend):
    name = "other"


def test_failover_is_a_verifier_with_read_only_members():
    shop = fm.FaceVerifier(FakeBackend())
    backup = fm.FaceVerifier(Other())
    verifier = fm.Failover({"shop": shop, "backup": backup})
    assert isinstance(verifier, fm.Verifier)
    assert dict(verifier.members) == {"shop": shop, "backup": backup}
    assert repr(verifier) == "Failover(shop, backup)"
    assert list(fm.Failover([shop, backup]).members) == ["fake", "other"]
    with pytest.raises(TypeError):
        verifier.members["shop"] = backup


@pytest.mark.parametrize(
    "members",
    [
        lambda verifier: {},
        lambda verifier: [],
        lambda verifier: "shop",
        lambda verifier: {"a": FakeBackend()},
        lambda verifier: {"a": fm.Failover([verifier])},
        lambda verifier: [verifier, fm.FaceVerifier(FakeBackend())],
    ],
    ids=["none", "no list", "text", "backend", "failover", "one backend twice"],
)
def test_invalid_members_are_refused_at_construction(members):
    with pytest.raises(fm.ConfigurationError):
        fm.Failover(members(fm.FaceVerifier(FakeBackend())))


LIVENESS = ("liveness_threshold", "liveness_review_threshold")


@pytest.mark.parametrize("call", ["verify", "check_liveness", "verify_live"])
def test_failover_refuses_a_single_threshold_for_all_members(call):
    backend = FakeBackend()
    verifier = fm.Failover({"shop": fm.FaceVerifier(backend)})
    pictures = (PROBE, REFERENCE) if call.startswith("verify") else (PROBE,)
    for option in ("threshold", "review_threshold", *(LIVENESS if call == "verify_live" else ())):
        with pytest.raises(fm.InvalidRequest, match=rf"no single {option}.*'shop'"):
            getattr(verifier, call)(*pictures, **{option: 60})
    assert backend.calls == []


@pytest.mark.parametrize(
    "thresholds", [{"shpo": 50}, {7: 50}, 50, {"shop": "50"}, {"backup": 101}], ids=str
)
def test_invalid_member_thresholds_are_refused_before_sending(thresholds):
    first = FakeBackend()
    members = {"shop": fm.FaceVerifier(first), "backup": fm.FaceVerifier(FakeBackend())}
    with pytest.raises(fm.InvalidRequest):
        fm.Failover(members).verify(PROBE, REFERENCE, threshold=thresholds)
    assert first.calls == []


def test_close_closes_every_member_even_if_one_fails():
    class Sick(FakeBackend):
        def close(self):
            raise RuntimeError("stuck")

    first = FakeBackend()
    last = FakeBackend()
    backends = {"a": first, "b": Sick(), "c": last}
    verifier = fm.Failover({name: fm.FaceVerifier(backend) for name, backend in backends.items()})
    with pytest.raises(RuntimeError):
        verifier.close()
    assert (first.closed, last.closed) == (1, 1)
    for call in (lambda: verifier.verify(PROBE, REFERENCE), lambda: verifier.reconcile(None)):
        with pytest.raises(fm.ConfigurationError):
            call()
    with fm.Failover([fm.FaceVerifier(first)]):
        pass
    assert first.closed == 2
