"""The page of what drift can see is generated from what it does see."""

import itertools
import os
from pathlib import Path

import pytest
from drift_page import page
from drift_targets import SCRIPT, WAYS, proof

from facematch_mock_server.drift._reporting import _ELSE, reason_for
from facematch_mock_server.vendors import all_claims

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "drift-didit.md"


@pytest.mark.long
def test_the_page_is_generated():
    """``UPDATE_DOCS=1`` writes it. What cannot be seen has its reason, and no reason is idle."""
    seen = set(itertools.chain.from_iterable(proof(*way).checked for way in WAYS))
    about = {claim.id for claim in all_claims("didit") if claim.vendor == "didit"}
    reasons = {reason_for(SCRIPT, claim) for claim in about - seen}
    assert reasons == set(SCRIPT.reasons) - {_ELSE}
    whole = page()
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(whole)
    assert PAGE.read_text() == whole
