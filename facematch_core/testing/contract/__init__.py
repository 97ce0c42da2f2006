"""The rules that every backend keeps, by theme."""

from __future__ import annotations

from ._frame import Rules
from .answers import AnswerRules
from .mapping import MappingRules
from .money import MoneyRules
from .privacy import PrivacyRules
from .records import RecordRules
from .sessions import SessionRules
from .settings import SettingRules
from .sharing import SharingRules


# Pytest runs the rules of the last base first: causes before what follows from them.
class BackendContract(
    SessionRules,
    SharingRules,
    MappingRules,
    RecordRules,
    PrivacyRules,
    SettingRules,
    MoneyRules,
    AnswerRules,
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
