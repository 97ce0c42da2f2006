"""Values of each backend that decide an environment, a match or a charge, by what they cause."""

from urllib.parse import parse_qs, urlsplit

import pytest
from kit.scripted import ScriptedAdapter
from kit.vendors import NEEDED, PAID, open_backend, settings_at

import facematch_core as fm
from facematch_core import models
from facematch_mock_server import MockServer, make_card

P1 = make_card("p1")
P1_AGAIN = make_card("p1", quality=60)


@pytest.fixture(scope="module")
def mock():
    with MockServer(vendor=list(PAID)) as server:
        yield server


@pytest.fixture
def opened(mock):
    def opened(name, **changes):
        settings = {**settings_at(mock, name), **changes}
        if name == "deepvue":
            settings["confidence_scale"] = "percent"
        return fm.open_verifier(name, **settings)

    return opened


WITH_A_SANDBOX = ["deepvue", "didit"]
#: CompreFace has no setting of an environment.
WITHOUT_A_SANDBOX = [name for name in PAID if name not in ("compreface", *WITH_A_SANDBOX)]


@pytest.mark.parametrize("name", WITHOUT_A_SANDBOX)
def test_vendor_without_a_sandbox_cannot_be_set_to_one(name):
    """Otherwise, calls to the real vendor would not be counted."""
    with pytest.raises(fm.ConfigurationError, match="environment"):
        fm.open_verifier(name, **NEEDED[name], environment="sandbox")


@pytest.mark.parametrize("name", WITH_A_SANDBOX)
def test_vendor_with_a_sandbox_can_be_set_to_it(name):
    assert open_backend(name, environment="sandbox").environment is fm.Environment.SANDBOX


@pytest.mark.parametrize(
    ("name", "threshold", "equal_score_matches"),
    [
        ("azure", 50.0, True),
        ("compreface", 50.0, True),
        ("didit", 30.0, False),
        ("rekognition", 80.0, True),
        ("tencent", 50.0, False),
    ],
)
def test_without_a_threshold_the_vendors_own_decides(opened, name, threshold, equal_score_matches):
    with opened(name) as verifier:
        used = verifier.verify(P1, P1_AGAIN).threshold
    assert used.value == threshold
    assert used.source is models.ThresholdSource.DEFAULT
    assert used.passes(threshold) is equal_score_matches
    assert used.passes(threshold + 0.01)
    assert not used.passes(threshold - 0.01)


def test_azures_models_are_those_of_its_scale_and_a_face_is_kept_for_a_minute():
    """The shortest time that Azure offers."""
    asked = {
        "recognitionModel": ["recognition_04"],
        "detectionModel": ["detection_03"],
        "faceIdTimeToLive": ["60"],
    }
    vendor = ScriptedAdapter((400, {"error": {"code": "InvalidImage", "message": "No."}}))
    with fm.open_verifier("azure", **NEEDED["azure"]) as verifier:
        assert verifier.backend.capabilities.score_scale == "azure/recognition_04"
        verifier.backend.client.mount("https://", vendor)
        with pytest.raises(fm.VendorError):
            verifier.verify(P1, P1_AGAIN)
    (request,) = vendor.seen
    assert parse_qs(urlsplit(request.url).query).items() >= asked.items()


def test_deepvue_has_no_threshold_of_its_own(opened):
    with opened("deepvue") as verifier:
        decided_by_vendor = verifier.verify(P1, P1_AGAIN).threshold
        given = verifier.verify(P1, P1_AGAIN, threshold=50).threshold
    assert decided_by_vendor.source is models.ThresholdSource.VENDOR
    assert decided_by_vendor.value is None
    assert given.passes(50)
    assert not given.passes(49.99)


def test_baidus_thresholds_are_80_and_that_of_each_answer_for_a_liveness(opened):
    with opened("baidu") as verifier:
        match = verifier.verify(P1, P1_AGAIN).threshold
        liveness = verifier.check_liveness(P1).threshold
        given = verifier.check_liveness(P1, threshold=95).threshold
    assert match.value == 80
    assert match.source is models.ThresholdSource.DEFAULT
    assert liveness.value == 30
    assert liveness.source is models.ThresholdSource.VENDOR
    assert given.value == 95


@pytest.mark.parametrize("name", PAID)
def test_a_budget_counts_the_calls_that_the_vendor_bills(opened, name):
    budget = fm.Budget(1, name=f"of {name}")
    with opened(name, policies=[budget]) as verifier:
        charged = verifier.verify(P1, P1_AGAIN).billing.charged
        if name in ("compreface", "deepface"):
            assert charged is fm.Charged.NO
            assert verifier.verify(P1, P1_AGAIN).is_match
        else:
            assert charged is fm.Charged.YES
            with pytest.raises(fm.BudgetExceeded):
                verifier.verify(P1, P1_AGAIN)
