"""The contract as a list, and the guard that keeps it whole."""

import pytest

from facematch_core.testing import BackendContract, rules


def test_rules_are_numbered_without_a_gap():
    """A number is a name: it is not used twice and none is missing."""
    assert [rule.number for rule in rules()] == [f"R{n:02}" for n in range(1, len(rules()) + 1)]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.number)
def test_every_rule_gives_its_reason(rule):
    """What is asked, in a sentence, and why it matters, in another."""
    assert rule.title.endswith(".")
    assert rule.reason.endswith(".")
    assert rule.name.startswith(f"test_{rule.number.lower()}_")


def test_a_rule_cannot_be_replaced():
    """Neither by a weaker one nor by nothing."""
    for replacement in (lambda self: None, None):
        with pytest.raises(TypeError, match=r"Weak changes the rule test_r07_threshold_edge\."):
            type("Weak", (BackendContract,), {"test_r07_threshold_edge": replacement})


def test_a_mixin_cannot_replace_it_either():
    """Wherever the override comes from."""

    class Mixin:
        def test_r11_no_face_is_inconclusive(self, bench):
            pass

    with pytest.raises(TypeError, match="changes the rule test_r11"):
        type("Sly", (Mixin, BackendContract), {})


@pytest.mark.parametrize(
    "mark", [pytest.mark.skip(reason="no"), pytest.mark.xfail, pytest.mark.xfail(reason="")]
)
def test_a_reason_is_needed(mark):
    """A mark alone is no reason, and a rule is never skipped on request."""

    @mark
    def muted(self, bench):
        pass

    with pytest.raises(TypeError, match="changes the rule test_r12"):
        type("Mute", (BackendContract,), {"test_r12_two_faces_are_told": muted})


def test_a_known_failure_is_declared():
    """With a reason a rule may be expected to fail, and what inherits that may stay."""

    class Known(BackendContract):
        @pytest.mark.xfail(reason="Acme tells nobody how many faces it saw", strict=True)
        def test_r12_two_faces_are_told(self, bench):
            super().test_r12_two_faces_are_told(bench)

    assert type("Heir", (Known,), {}).test_r12_two_faces_are_told


def test_own_tests_are_welcome():
    """A class may add tests, also with names that begin like a rule's."""
    own = {"test_r99_ours": lambda self: None, "test_rotation": lambda self: None}
    heir = type("Heir", (type("Own", (BackendContract,), own),), {"test_rotation": print})
    assert heir.test_r99_ours
