"""All six backends together: failovers, and the charges in each vendor's ledger."""

import contextlib
from pathlib import Path

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend import ImageFormat
from facematch_mock_server import Fault, Kind, MockServer, Stage, make_card

PHOTOGRAPHS = Path(__file__).parents[2] / "docs" / "photographs"
SELFIE, DOCUMENT = (
    fm.Image.read(PHOTOGRAPHS / f"{name}.jpg") for name in ("grace-hopper", "grace-hopper-card")
)
P1, P1_AGAIN, P2 = make_card("p1"), make_card("p1", quality=60), make_card("p2")
PAID = ("didit", "deepvue", "rekognition", "azure", "compreface")
#: Charges of one comparison, by the vendor's ledger.
CHARGES = {"didit": 1, "deepvue": 1, "rekognition": 1, "azure": 3, "compreface": 0}


@pytest.fixture
def mock():
    with MockServer(vendor=list(PAID)) as server:
        yield server


@pytest.fixture
def opened(mock):
    """Open a verifier of a vendor at the mock, or of the local engine."""
    keys = {name: mock.of(name).live_key for name in PAID}
    client = {"client_id": mock.of("deepvue").client_id, "client_secret": keys["deepvue"]}
    aws = {"region": "eu-west-1", "access_key_id": mock.of("rekognition").client_id}
    settings = {
        **{name: {"api_key": keys[name]} for name in ("didit", "azure", "compreface")},
        "deepvue": {**client, "confidence_scale": "percent"},
        "rekognition": {**aws, "secret_access_key": keys["rekognition"]},
    }

    def open_one(name, **more):
        where = {} if name == "local" else {"base_url": mock.url}
        return fm.open_verifier(name, **where, **settings.get(name, {}), **more)

    return open_one


def charges(mock):
    return {name: len(mock.of(name).control.charges()) for name in PAID}


@pytest.mark.parametrize("name", PAID)
def test_charges_equal_the_vendors_ledger(mock, opened, name):
    with opened(name) as verifier:
        answers = [verifier.verify(P1, P1_AGAIN), verifier.verify(P1, P2)]
    assert [answer.decision for answer in answers] == [fm.Decision.MATCH, fm.Decision.NO_MATCH]
    assert all(answer.environment is fm.Environment.MOCK for answer in answers)
    assert [answer.billing.charges for answer in answers] == [CHARGES[name]] * 2
    assert charges(mock)[name] == 2 * CHARGES[name]


@pytest.mark.parametrize("name", PAID)
def test_declared_formats_are_those_the_vendor_takes(opened, monkeypatch, name):
    with opened(name) as verifier:
        backend = type(verifier.backend)
    can, taken = backend.capabilities, set()
    usual = {ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP}
    for kind in usual:
        alone = attrs.evolve(can.image_limits, formats={kind})
        monkeypatch.setattr(backend, "capabilities", attrs.evolve(can, image_limits=alone))
        with opened(name) as verifier, contextlib.suppress(fm.FaceMatchError):
            if verifier.verify(P1, P1_AGAIN).is_match:
                taken.add(kind)
    assert taken == can.image_limits.formats & usual


def throttle(mock, name):
    mock.of(name).control.add_fault(
        Fault(path="/", stage=Stage.ANSWER, kind=Kind.STATUS, status=429)
    )


def test_failover_passes_five_throttled_vendors(mock, opened):
    for name in PAID:
        throttle(mock, name)
    with fm.Failover([opened(name) for name in (*PAID, "local")]) as failover:
        result = failover.verify(SELFIE, DOCUMENT)
    assert (result.route.answered_by, result.is_match) == ("local", True)
    assert [skip.backend for skip in result.route.skipped] == list(PAID)
    assert {skip.reason for skip in result.route.skipped} == {"RateLimited"}
    assert set(charges(mock).values()) == {0}


def refuse(status, body):
    return Fault(path="/", stage=Stage.ANSWER, kind=Kind.JSON, status=status, body=body)


#: Refusals for lack of quota or credit with another status than 402 and 429.
USED_UP = {
    "didit": refuse(403, {"error": "You don't have enough credits to perform this request."}),
    "azure": refuse(403, {"error": {"code": "403", "message": "Out of call volume quota for F0."}}),
    "rekognition": refuse(403, {"__type": "OptInRequired", "message": "Needs a subscription."}),
}


@pytest.mark.parametrize("name", USED_UP)
def test_used_up_account_passes_a_failover_on(mock, opened, name, caplog):
    mock.of(name).control.add_fault(USED_UP[name])
    with fm.Failover([opened(name), opened("compreface")]) as failover:
        route = failover.verify(P1, P1_AGAIN).route
    assert (route.answered_by, route.skipped[0].reason) == ("compreface", "InsufficientCredit")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("name", PAID)
def test_wrong_key_ends_a_failover_with_a_warning(mock, opened, name, caplog):
    mock.of(name).control.revoke_key(mock.of(name).live_key)
    with (
        fm.Failover([opened(each) for each in dict.fromkeys((name, *PAID))]) as failover,
        pytest.raises(fm.AuthenticationFailed) as caught,
    ):
        failover.verify(P1, P1_AGAIN)
    assert caught.value.backend == name
    (record,) = (each for each in caplog.records if each.name == "facematch")
    assert (record.levelname, name in record.getMessage()) == ("WARNING", True)
    assert caught.value.billing.charged is fm.Charged.NO
    assert set(charges(mock).values()) == {0}


RATES = {"didit": {60: 300}, "deepvue": {1: 1, 60: 30, 86_400: 1_000}}


@pytest.mark.parametrize("name", PAID)
def test_declared_rates_are_those_the_vendor_publishes(opened, name):
    with opened(name) as verifier:
        windows = verifier.backend.capabilities.rate_windows
    assert {window.seconds: window.limit for window in windows} == RATES.get(name, {})
