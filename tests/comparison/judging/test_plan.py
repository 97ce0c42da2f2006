import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_comparison import plan_study
from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, exact_upper
from facematch_core import InvalidRequest


@given(fmr=st.floats(1e-4, 0.5), frr=st.floats(1e-3, 0.5), confidence=st.floats(0.5, 0.99))
def test_planned_numbers_suffice_and_no_smaller_ones_do(fmr, frr, confidence):
    for need in plan_study(fmr=fmr, frr=frr, confidence=confidence).needs:
        assert need.non_mated * fmr >= ENOUGH_FALSE_MATCHES * (1 - 1e-9)
        for trials, rate in ((need.mated, frr), (need.non_mated, fmr)):
            assert exact_upper(need.errors, trials, confidence) <= rate * (1 + 1e-9)
            places = rate == fmr and (trials - 1) * fmr < ENOUGH_FALSE_MATCHES
            if trials > need.errors + 1 and not places:
                assert exact_upper(need.errors, trials - 1, confidence) > rate * (1 - 1e-9)


@pytest.mark.parametrize("wrong", [{"fmr": 0}, {"frr": 1}, {"confidence": 1.0}], ids=str)
def test_plan_refuses_numbers_out_of_range(wrong):
    with pytest.raises(InvalidRequest):
        plan_study(**{"fmr": 1e-3, "frr": 0.01} | wrong)
