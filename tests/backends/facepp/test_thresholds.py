"""Face++'s thresholds, which each answer brings."""

import pytest
from kit.vendors import settings_at

import facematch_core as fm
from facematch_core import models
from facematch_mock_server import MockServer, make_card

P1 = make_card("p1")
P1_AGAIN = make_card("p1", quality=60)


@pytest.mark.parametrize(
    ("error_rate", "threshold"), [("1e-3", 62.327), ("1e-4", 69.101), ("1e-5", 73.975)]
)
def test_facepps_threshold_is_the_answers_own_for_the_error_rate(error_rate, threshold):
    with (
        MockServer(vendor="facepp") as mock,
        fm.open_verifier(
            "facepp", **settings_at(mock, "facepp"), error_rate=error_rate
        ) as verifier,
    ):
        used = verifier.verify(P1, P1_AGAIN).threshold
        given = verifier.verify(P1, P1_AGAIN, threshold=99).threshold
    assert used.value == threshold
    assert used.source is models.ThresholdSource.VENDOR
    assert used.passes(threshold + 0.001)
    assert not used.passes(threshold)
    assert given.value == 99
