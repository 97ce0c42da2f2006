"""Our own three backends, each over the double that is installed beside it: no rule is open."""

import pytest

from facematch_core.testing import conformance, rules
from facematch_core.testing._card import CardVerdict
from facematch_core.testing._running import Status

KEPT = {Status.PASSED, Status.DOES_NOT_APPLY}


@pytest.mark.parametrize(
    ("name", "double"),
    [("deepvue", "DeepvueDouble"), ("didit", "DiditDouble"), ("local", "LocalDouble")],
)
def test_no_rule_is_open(name, double):
    """Every rule is kept, or speaks of what the backend or its vendor has not, and says why."""
    card = conformance(name)
    assert (card.double, card.double_distribution) == (double, "facematch-core")
    assert [line.number for line in card.rules] == [rule.number for rule in rules()]
    left = [f"{line.number} {line.reasons}" for line in card.rules if line.status not in KEPT]
    assert not left
    assert all(line.reasons for line in card.of(Status.DOES_NOT_APPLY))
    assert not [one.name for one in card.capabilities if not one.proved]
    assert card.verdict is CardVerdict.CONFORMS
