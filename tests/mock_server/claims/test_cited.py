"""Every claim is cited by an answer of the suite."""

from facematch_mock_server.vendors import all_claims


def test_every_claim_is_cited(suite):
    """At least one answer of the suite says that it rests on the claim."""
    cited = {claim for _, _, answers in suite for _, claims in answers for claim in claims}
    assert not [claim.id for claim in all_claims() if claim.id not in cited]


def test_only_claims_are_cited(suite):
    """And none says that it rests on another one."""
    cited = {claim for _, _, answers in suite for _, claims in answers for claim in claims}
    assert not cited - {claim.id for claim in all_claims()}
