"""Failovers of real backends against the mock: what the vendors' ledgers say in the end."""

import contextlib
import io
from pathlib import Path

import pytest
from PIL import Image as PillowImage

import facematch_core as fm
from facematch_core.resilience import CircuitBreaker
from facematch_core.testing import ManualClock
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_local import LocalBackend
from facematch_mock_server import Fault, Kind, MockServer, Stage, make_card

PHOTOGRAPHS = Path(__file__).parents[2] / "docs" / "photographs"
SELFIE, DOCUMENT = (
    fm.Image.read(PHOTOGRAPHS / f"{name}.jpg") for name in ("grace-hopper", "grace-hopper-card")
)
P1, P1_AGAIN, P2 = make_card("p1"), make_card("p1", quality=60), make_card("p2")
DIDIT, DEEPVUE = "/v3/", "/v1/facematch"


@pytest.fixture(scope="module")
def local():
    """The matcher of this machine, which loads its models once."""
    with contextlib.closing(LocalBackend()) as backend:
        yield backend


@pytest.fixture
def mock():
    """Both vendors in one server: a failover is one process to test."""
    with MockServer(vendor=["didit", "deepvue"]) as server:
        yield server


@pytest.fixture
def vendors(mock):
    """The backends of both, by name."""
    didit, deepvue = mock.of("didit"), mock.of("deepvue")
    return {
        "didit": DiditBackend(api_key=didit.live_key, base_url=mock.url),
        "deepvue": DeepvueBackend(
            client_id=deepvue.client_id,
            client_secret=deepvue.live_key,
            base_url=mock.url,
            confidence_scale="percent",
        ),
    }


@pytest.fixture
def failover(vendors):
    """Didit first, then Deepvue."""
    with fm.Failover([fm.FaceVerifier(backend) for backend in vendors.values()]) as opened:
        yield opened


def charges(mock):
    """How often each vendor charged."""
    return [len(mock.of(name).control.charges()) for name in ("didit", "deepvue")]


def asked(mock, path):
    """How many requests to paths that begin so have arrived."""
    return sum(entry.path.startswith(path) for entry in mock.control.journal())


def spoil(mock, vendor, **fault):
    """A fault of one vendor; without a stage it is an answer."""
    path = {"didit": DIDIT, "deepvue": DEEPVUE}[vendor]
    mock.of(vendor).control.add_fault(Fault(**{"path": path} | fault))


def test_the_first_one_answers(mock, failover):
    """And is the only one that charges, whatever its decision."""
    assert failover.verify(P1, P1_AGAIN).route.answered_by == "didit"
    result = failover.verify(P1, P2)
    assert (result.route.answered_by, result.decision) == ("didit", "no_match")
    assert charges(mock) == [2, 0]


def no_credit(mock):
    mock.of("didit").control.set_balance(0)


def throttled(mock):
    spoil(mock, "didit", stage=Stage.ANSWER, kind=Kind.STATUS, status=429)


def answer_lost(mock):
    spoil(mock, "didit", stage=Stage.MID_BODY, kind=Kind.RESET)


def lost_before_it_was_read(mock):
    spoil(mock, "didit", stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=False)


def gateway(mock):
    spoil(mock, "didit", stage=Stage.ANSWER, kind=Kind.HTML, status=502)


def key_revoked(mock):
    mock.of("didit").control.revoke_key(mock.of("didit").live_key)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(no_credit, "InsufficientCredit"), (throttled, "RateLimited")],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_the_second_one_answers(mock, failover, trouble, reason):
    """Where the vendor itself says that nothing was charged; one charge, on one ledger."""
    trouble(mock)
    result = failover.verify(P1, P1_AGAIN)
    assert (result.route.answered_by, result.backend, result.is_match) == (
        "deepvue",
        "deepvue",
        True,
    )
    assert [one.reason for one in result.route.skipped] == [reason]
    assert charges(mock) == [0, 1]


@pytest.mark.parametrize(
    ("trouble", "error", "charged"),
    [
        (answer_lost, fm.OutcomeUnknown, 1),
        (lost_before_it_was_read, fm.OutcomeUnknown, 0),
        (gateway, fm.OutcomeUnknown, 0),
        (key_revoked, fm.AuthenticationFailed, 0),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_the_second_one_is_not_asked(mock, failover, trouble, error, charged):
    """Where the first one may have charged, or its key is wrong."""
    trouble(mock)
    with pytest.raises(error) as caught:
        failover.verify(P1, P1_AGAIN)
    assert [one.backend for one in caught.value.route.skipped] == ["didit"]
    assert charges(mock) == [charged, 0]


def test_both_calls_of_verify_live(mock, failover):
    """Liveness by Didit, then its credit is gone: the comparison is Deepvue's, each paid once."""
    mock.of("didit").control.set_balance("0.03")
    result = failover.verify_live(P1, P1_AGAIN)
    assert (result.liveness.route.answered_by, result.match.route.answered_by) == (
        "didit",
        "deepvue",
    )
    assert result.liveness.score.scale != result.match.score.scale
    assert charges(mock) == [1, 1]


def test_a_lost_call_is_found_by_its_failover(mock, failover):
    """In the records of the vendor that lost it, and charges nothing more."""
    answer_lost(mock)
    with pytest.raises(fm.OutcomeUnknown) as caught:
        failover.verify(P1, P1_AGAIN, retention=fm.Retention.KEEP)
    told = failover.reconcile(caught.value)
    assert (told.outcome, told.result.route.answered_by) == ("found", "didit")
    assert told.result.is_match
    assert charges(mock) == [1, 0]


def webp(size):
    """A picture in a format that one of the two does not take."""
    buffer = io.BytesIO()
    PillowImage.new("RGB", size, (90, 120, 160)).save(buffer, "WEBP", lossless=True)
    return fm.Image.from_bytes(buffer.getvalue())


def test_a_format_that_one_of_them_takes(mock, vendors):
    """Without fitting, Deepvue is passed over for WebP before anything is sent to it."""
    members = [fm.FaceVerifier(vendors[name], fit_images=False) for name in ("deepvue", "didit")]
    with fm.Failover(members) as failover:
        result = failover.verify(webp((300, 300)), webp((301, 300)))
    assert (result.route.answered_by, result.route.skipped[0].reason) == (
        "didit",
        "InvalidImage",
    )
    assert charges(mock) == [1, 0]
    assert asked(mock, DEEPVUE) == 0


def test_nobody_can_keep_it(mock, vendors):
    """Deepvue cannot be asked to keep a call: alone, that is refused; beside Didit, passed over."""
    members = [fm.FaceVerifier(vendors[name]) for name in ("deepvue", "didit")]
    with fm.Failover(members) as failover:
        result = failover.verify(P1, P1_AGAIN, retention=fm.Retention.KEEP, rotate=True)
    assert (result.route.answered_by, result.route.skipped[0].reason) == (
        "didit",
        "Unsupported",
    )
    assert charges(mock) == [1, 0]


def test_this_machine_as_the_last_resort(mock, vendors, local):
    """Nobody listens at the vendor's address: no byte left, and the matcher here answers."""
    gone = MockServer()
    gone.start()
    address = gone.url
    gone.stop()
    didit = fm.FaceVerifier(DiditBackend(api_key="k", base_url=address), threshold=50)
    # Not closed with it: the other tests of this module use the same models.
    failover = fm.Failover({"didit": didit, "here": fm.FaceVerifier(local, threshold=60)})
    result = failover.verify(SELFIE, DOCUMENT)
    assert result.is_match
    assert (result.route.answered_by, result.environment) == ("here", fm.Environment.LOCAL)
    assert (result.threshold.value, result.billing.charged) == (60, fm.Charged.NO)
    assert result.route.skipped[0].reason == "VendorUnavailable"
    with pytest.raises(fm.VendorUnavailable) as caught:
        failover.check_liveness(SELFIE)
    assert caught.value.billing.charged is fm.Charged.NO
    assert [one.reason for one in caught.value.route.skipped] == [
        "VendorUnavailable",
        "Unsupported",
    ]
    didit.close()


def test_real_photographs_fall_back_too(mock, vendors, local):
    """From a vendor without credit to the matcher here; the vendor charges nothing."""
    mock.of("didit").control.set_balance(0)
    failover = fm.Failover(
        {"didit": fm.FaceVerifier(vendors["didit"]), "here": fm.FaceVerifier(local)}
    )
    assert failover.verify(SELFIE, DOCUMENT).route.answered_by == "here"
    assert failover.verify(SELFIE, fm.Image.read(PHOTOGRAPHS / "no-face-cat.jpg")).decision == (
        "inconclusive"
    )
    assert charges(mock) == [0, 0]


def test_an_open_breaker_saves_the_way(mock, vendors):
    """After one look at an empty account the vendor is not asked again, until it is topped up."""
    clock = ManualClock()
    breaker = CircuitBreaker(clock=clock)
    members = {
        "didit": fm.FaceVerifier(vendors["didit"], policies=[breaker], clock=clock),
        "deepvue": fm.FaceVerifier(vendors["deepvue"], clock=clock),
    }
    mock.of("didit").control.set_balance(0)
    with fm.Failover(members, clock=clock) as failover:
        for _ in range(3):
            assert failover.verify(P1, P1_AGAIN).route.answered_by == "deepvue"
        assert asked(mock, DIDIT) == 1
        mock.of("didit").control.set_balance(100)
        breaker.reset()
        assert failover.verify(P1, P1_AGAIN).route.answered_by == "didit"
    assert charges(mock) == [1, 3]


def test_a_profile_of_both(mock, tmp_path, monkeypatch):
    """From the configuration to the second vendor's charge, with gates on the way."""
    monkeypatch.setenv("DIDIT_KEY", mock.of("didit").live_key)
    monkeypatch.setenv("DEEPVUE_ID", mock.of("deepvue").client_id)
    monkeypatch.setenv("DEEPVUE_SECRET", mock.of("deepvue").live_key)
    path = tmp_path / "facematch.toml"
    path.write_text(f"""
        [profiles.shop]
        backend = "didit"
        threshold = 50
        [profiles.shop.settings]
        api_key = {{ env = "DIDIT_KEY" }}
        base_url = "{mock.url}"
        [profiles.shop.budget]
        calls = 10
        store = "sqlite:///spent.sqlite3"
        [profiles.shop.circuit_breaker]
        [profiles.shop.rate_limit]
        published = true

        [profiles.backup]
        backend = "deepvue"
        threshold = 60
        [profiles.backup.settings]
        client_id = {{ env = "DEEPVUE_ID" }}
        client_secret = {{ env = "DEEPVUE_SECRET" }}
        base_url = "{mock.url}"
        confidence_scale = "percent"

        [profiles.ha]
        members = ["shop", "backup"]
        """)
    mock.of("didit").control.set_balance(0)
    with fm.open_verifier(profile="ha", config=path, require_environment="mock") as verifier:
        result = verifier.verify(P1, P1_AGAIN)
    assert (result.route.answered_by, result.environment) == ("backup", fm.Environment.MOCK)
    assert (result.threshold.value, result.threshold.source) == (60, "profile")
    assert charges(mock) == [0, 1]
