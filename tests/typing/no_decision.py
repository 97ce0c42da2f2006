"""What nobody should write, and what `mypy --strict` says of each line with a comment behind it."""

import facematch_core as fm


def is_accepted(result: fm.MatchResult) -> bool:
    return result != fm.Decision.NO_MATCH  # no decision


def is_match(result: fm.MatchResult) -> bool:
    return result == fm.Decision.MATCH  # no decision


def is_live(result: fm.LivenessResult) -> bool:
    return result in (fm.LivenessDecision.LIVE, fm.LivenessDecision.REVIEW)  # no decision


def is_verified(result: fm.LiveMatchResult) -> bool:
    if result == fm.LiveMatchDecision.VERIFIED:  # no decision
        return True
    return result.match == fm.Decision.MATCH  # no decision


def says(result: fm.MatchResult, word: str) -> bool:
    if result.decision == "match" or result.decision in ("review", word):
        return result.decision != fm.Decision.NO_MATCH
    return result.decision != word
