"""What nobody should write, and what a type checker says of each line with a comment behind it."""

import facematch_core as fm


def of_match(result: fm.MatchResult) -> str:
    if result:  # no truth
        return "accepted"
    return 7  # no text: a checker that took `if` for the end would not say so


def of_liveness(result: fm.LivenessResult) -> str:
    if not result:  # no truth
        return "refused"
    return "accepted"


def of_both(result: fm.LiveMatchResult) -> str:
    return "accepted" if result else "refused"  # no truth


def of_records(reconciliation: fm.Reconciliation) -> str:
    return "paid" if reconciliation else "not paid"  # no truth
