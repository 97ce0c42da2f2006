"""All paid vendors together: what each declares, and a failover that a wrong key ends."""

import contextlib

import attrs
import pytest
from kit.vendors import PAID, settings_at

import facematch_core as fm
from facematch_core.backend import ImageFormat
from facematch_mock_server import MockServer, make_card

P1, P1_AGAIN = make_card("p1"), make_card("p1", quality=60)


@pytest.fixture
def mock():
    with MockServer(vendor=list(PAID)) as server:
        yield server


@pytest.fixture
def opened(mock):
    def open_one(name):
        more = {"confidence_scale": "percent"} if name == "deepvue" else {}
        return fm.open_verifier(name, **settings_at(mock, name), **more)

    return open_one


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
    assert not any(mock.of(each).control.charges() for each in PAID)


RATES = {"didit": {60: 300}, "deepvue": {1: 1, 60: 30, 86_400: 1_000}}


@pytest.mark.parametrize("name", PAID)
def test_declared_rates_are_those_the_vendor_publishes(opened, name):
    with opened(name) as verifier:
        windows = verifier.backend.capabilities.rate_windows
    assert {window.seconds: window.limit for window in windows} == RATES.get(name, {})
