"""The rules that every backend keeps, by theme."""

from __future__ import annotations

import inspect

import attrs

from ._arriving import ArrivingRules
from ._decisions import DecisionRules
from ._doubt import DoubtRules
from ._mapping import MappingRules
from ._money import MoneyRules
from ._privacy import PrivacyRules
from ._records import RecordRules
from ._refusals import RefusalRules
from ._series import SeriesRules
from ._settings import SettingRules
from ._shape import ShapeRules
from ._sharing import SharingRules
from ._telling import TellingRules
from ._together import TogetherRules


class BackendContract(
    ShapeRules,
    DecisionRules,
    DoubtRules,
    MoneyRules,
    PrivacyRules,
    RefusalRules,
    SharingRules,
    RecordRules,
    TogetherRules,
    SeriesRules,
    MappingRules,
    SettingRules,
    ArrivingRules,
    TellingRules,
):
    """What every backend keeps, as tests that its author runs unchanged.

    ::

        class TestContract(BackendContract):
            @pytest.fixture
            def double(self):
                with MyDouble() as double:
                    yield double

    Each rule has a number, and its docstring says why it matters. A rule that needs a `Situation`
    which the double cannot produce is skipped and says so. A backend that has a good reason to
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
        pure: Whether it runs without a double, too.
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
