"""The rules of money, held against the outcomes of everything."""

from kit.money.outcomes import CASES, SETTINGS, VERSIONS

#: What refuses a call before anything is sent, and how.
REFUSING = {"breaker open": "BreakerOpen", "budget used up": "BudgetExceeded"}


def check_each(outcomes):
    """Of one call at a time; the sentences are in the documentation."""
    assert len(outcomes) == sum(map(len, VERSIONS.values())) * len(SETTINGS) * len(CASES)
    for where, one in outcomes.items():
        charges = sum(one.charges)
        assert charges <= 1, where
        assert charges == {"YES": 1, "NO": 0}.get(one.billed, charges), where
        assert (one.billed == "UNKNOWN") == (one.error in ("OutcomeUnknown", "DeadlineExceeded"))
        words = {"YES": "spent", "UNKNOWN": "unknown", "NO": ""}
        assert "".join(one.counted) == words[one.billed], where
        if one.billed == "UNKNOWN":
            # Neither repeated nor asked elsewhere.
            assert one.requests == (1, 0), where
        if one.error.isupper():
            assert (one.error, one.billed) == ("MATCH", "YES"), where


def check_gates(outcomes):
    """They change nothing, or refuse everything; retries and failovers help what is free."""
    for (vendor, version, setting, case), one in outcomes.items():
        plain = outcomes[vendor, version, "no gate", case]
        where = (vendor, version, setting, case)
        if setting in ("budget", "breaker closed", "pacing"):
            assert one == plain, where
        elif setting in REFUSING:
            assert (one.error, one.requests) == (REFUSING[setting], (0, 0)), where
        elif setting in ("retries", "all gates") and one != plain:
            assert (plain.billed, one.error, one.charges) == ("NO", "MATCH", (1, 0)), where
        elif setting == "failover" and one != plain:
            assert (plain.billed, one.error, one.charges) == ("NO", "MATCH", (0, 1)), where
