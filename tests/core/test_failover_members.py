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


def test_failover_refuses_a_single_threshold_for_all_members():
    backend = FakeBackend()
    verifier = fm.Failover({"shop": fm.FaceVerifier(backend)})
    for option in ("threshold", "review_threshold", "liveness_threshold"):
        with pytest.raises(fm.InvalidRequest, match=rf"no single {option}.*'shop'"):
            verifier.verify_live(PROBE, REFERENCE, **{option: 60})
    with pytest.raises(fm.InvalidRequest, match="no single threshold"):
        verifier.check_liveness(PROBE, threshold=60)
    assert backend.calls == []


@pytest.mark.parametrize("thresholds", [{"shpo": 50}, 50, {"backup": 101}], ids=str)
def test_invalid_member_thresholds_are_refused_before_sending(thresholds):
    backend = FakeBackend()
    members = {"shop": fm.FaceVerifier(backend), "backup": fm.FaceVerifier(FakeBackend())}
    with pytest.raises(fm.InvalidRequest):
        fm.Failover(members).verify(PROBE, REFERENCE, threshold=thresholds)
    assert backend.calls == []


def test_close_closes_every_member_even_if_one_fails():
    class Sick(FakeBackend):
        def close(self):
            raise RuntimeError("stuck")

    backends = [FakeBackend(), Sick(), FakeBackend()]
    members = dict(zip("abc", map(fm.FaceVerifier, backends), strict=True))
    with pytest.raises(RuntimeError), fm.Failover(members) as verifier:
        pass
    assert (backends[0].closed, backends[2].closed) == (1, 1)
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(PROBE, REFERENCE)
    with pytest.raises(fm.ConfigurationError):
        verifier.reconcile(None)
