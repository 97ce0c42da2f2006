"""The rules that every backend must meet, by topic."""

from __future__ import annotations

from .calls import AnswerRules, CallRules
from .money import MoneyRules
from .options import OptionRules, OwnSenderRules
from .sessions import SessionRules


# Pytest runs the rules of the last base first: causes before what follows from them.
class BackendContract(
    SessionRules, AnswerRules, OwnSenderRules, OptionRules, MoneyRules, CallRules
):
    """The rules that every backend must meet, as tests that its author runs unchanged.

    Derive a class from it, with a fixture `simulator` that yields a `VendorSimulator`. A failure
    names its cause first: the plug-in, or the simulator. A rule that needs a `Situation` which the
    simulator cannot produce is skipped with the reason. A backend that has a good reason to break a
    rule overrides it with ``@pytest.mark.xfail(reason="the vendor answers ...", strict=True)``; any
    other override of a rule raises TypeError when the class is made.
    """
