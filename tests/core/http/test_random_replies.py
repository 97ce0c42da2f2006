"""`kit.replies`, which compares two versions: it is deterministic, and reaches every end."""

import re

from kit import replies


def test_a_case_depends_on_the_seed_and_its_number():
    lines = list(replies.cases(7, 60))
    assert list(replies.cases(7, 30)) == lines[:30]
    assert list(replies.cases(8, 30)) != lines[:30]


def test_the_cases_reach_results_and_every_kind_of_error():
    ends = {re.match(r"\d+ [^:]+: (\w+)", line)[1] for line in replies.cases(1, 600)}
    assert ends >= {
        "ConfigurationError",
        "DeadlineExceeded",
        "EnvironmentMismatch",
        "InsufficientCredit",
        "LivenessResult",
        "MatchResult",
        "OutcomeUnknown",
        "RateLimited",
        "Reconciliation",
        "RequestRejected",
        "UnexpectedResponse",
        "VendorUnavailable",
    }
