"""The rules that every backend keeps, by theme."""

from __future__ import annotations

import inspect

import attrs

from ._frame import Rules
from .answers import AnswerRules
from .mapping import MappingRules
from .money import MoneyRules
from .privacy import PrivacyRules
from .records import RecordRules
from .settings import SettingRules
from .sharing import SharingRules


class BackendContract(
    AnswerRules,
    MoneyRules,
    PrivacyRules,
    RecordRules,
    MappingRules,
    SettingRules,
    SharingRules,
    Rules,
):
    """What every backend keeps, as tests that its author runs unchanged.

    ::

        class TestContract(BackendContract):
            @pytest.fixture
            def simulator(self):
                with MySimulator() as simulator:
                    yield simulator

    Each rule has a number, and its docstring says why it matters. A rule that needs a `Situation`
    which the simulator cannot produce is skipped and says so. A backend that has a good reason to
    break a rule says so as well::

            @pytest.mark.xfail(reason="the vendor answers ...", strict=True)
            def test_r12_two_faces_are_told(self, bench):
                super().test_r12_two_faces_are_told(bench)

    Any other override of a rule is refused when the class is made.
    """


@attrs.frozen(kw_only=True)
class Rule:
    """One rule of the contract.

    Attributes:
        number: ``R01`` and so on; a number is never given to another rule.
        name: Name of the test.
        title: What is asked, in a sentence.
        reason: Why it matters.
        pure: Whether it runs without a simulator, too.
    """

    number: str
    name: str
    title: str
    reason: str
    pure: bool = False


def rules() -> tuple[Rule, ...]:
    """All rules, by number."""
    found = []
    for name in sorted(name for name in dir(BackendContract) if name.startswith("test_r")):
        rule = getattr(BackendContract, name)
        title, _, reason = (inspect.getdoc(rule) or "").partition("\n\n")
        found.append(
            Rule(
                number=name.split("_")[1].upper(),
                name=name,
                title=" ".join(title.split()),
                reason=" ".join(reason.split()),
                pure=getattr(rule, "asks_nothing", False),
            )
        )
    return tuple(found)
