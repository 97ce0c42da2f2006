"""PASS, FAIL or INCONCLUSIVE: what a comparison shows, beside a profile of requirements."""

from ._judge import judge
from ._profile import At, GateProfile, built_in, read_profile
from ._verdict import ContenderVerdict, Outcome, RateVerdict, Verdict

__all__ = [
    "At",
    "ContenderVerdict",
    "GateProfile",
    "Outcome",
    "RateVerdict",
    "Verdict",
    "built_in",
    "judge",
    "read_profile",
]
