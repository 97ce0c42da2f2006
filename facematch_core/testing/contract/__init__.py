"""The rules that every backend must meet, by topic."""

from __future__ import annotations

from .calls import AnswerRules, CallRules
from .money import MoneyRules
from .options import OptionRules
from .session_endings import SessionEndingRules
from .session_readings import SessionReadingRules
from .session_starts import SessionStartRules


# Pytest runs the last base class first, so a rule that explains later failures runs first.
class BackendContract(
    SessionEndingRules,
    SessionReadingRules,
    SessionStartRules,
    AnswerRules,
    OptionRules,
    MoneyRules,
    CallRules,
):
    """The rules that every backend must meet, as tests that its author runs unchanged.

    Subclass it and define a fixture `simulator` that yields a `VendorSimulator`. A failure names
    its cause first: the plug-in, the simulator, or that they differ. A rule that the simulator
    cannot test fails, unless `not_tested` says why: ``{"R14": "no page says which face is
    compared"}``. To break a rule for a good reason, override it with
    ``@pytest.mark.xfail(reason="the vendor answers ...", strict=True)``; any other override of a
    rule raises TypeError when the class is defined.
    """
