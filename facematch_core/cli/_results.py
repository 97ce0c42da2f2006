"""Print a result: a line with the verdict, then the warnings, ids and cost."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from facematch_core.models import (
    Advice,
    Charged,
    Environment,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Result,
    ResultWarning,
    ThresholdRule,
    ThresholdSource,
)

from .text import Exit, format_number, say

Answer = MatchResult | LivenessResult | LiveMatchResult


def show(result: Answer) -> None:
    """Print a verdict; of a joint one also both parts, of which the match may be missing."""
    if not isinstance(result, LiveMatchResult):
        _show_call("", result)
        return
    verdict = VERDICTS[result.decision.value]
    say(f"  {verdict.says}", heading=verdict.word, colour=verdict.colour)
    _show_call("liveness: ", result.liveness)
    if result.match is None:
        say("match: not compared, not charged")
    else:
        _show_call("match: ", result.match)


def _show_call(title: str, result: MatchResult | LivenessResult) -> None:
    """Print a call's verdict, score, warnings, facts, route and cost.

    `title` is empty for a single call, whose verdict is then said in full.
    """
    verdict = VERDICTS[result.decision.value]
    if result.score is None:
        line = f"  no score ({limits(result)})"
    else:
        score = format_number(result.score.value)
        line = f"  score {score} ({result.score.scale}, {limits(result)})"
    # The joint verdict's line already contains "as far as this engine can tell".
    if not title or _AS_FAR not in verdict.says:
        line += f"  {verdict.says}"
    say(line, heading=title + verdict.word, colour=verdict.colour)
    for warning in result.warnings:
        say(f"  {warning_words(warning)}")
    if isinstance(result, LivenessResult):
        _say_facts({"quality": result.quality, "luminance": result.luminance})
    if result.route is not None and result.route.skipped:
        members = [f"{skipped.backend} ({skipped.reason})" for skipped in result.route.skipped]
        say(f"  answered by {result.route.answered_by}, not by {', '.join(members)}")
        for skipped in result.route.skipped:
            say(f"  {skipped.backend}: {skipped.message}")
    _say_facts(
        {"request": result.ids.vendor, "stored by the vendor as session": result.ids.session}
    )
    say(f"  {cost_words(result)}")


def _say_facts(facts: Mapping[str, str | float | None]) -> None:
    """Print the facts that are not None on one line."""
    texts = []
    for name, value in facts.items():
        if value is not None:
            texts.append(
                f"{name} {format_number(value) if isinstance(value, float | int) else value}"
            )
    if texts:
        say(f"  {', '.join(texts)}")


@attrs.frozen
class Verdict:
    """The text and the exit code of a decision."""

    word: str
    says: str
    code: Exit

    @property
    def colour(self) -> str:
        return {Exit.OK: "green", Exit.NO: "red"}.get(self.code, "yellow")


_AS_FAR = "as far as this engine can tell"

VERDICTS = {
    "match": Verdict("MATCH", f"same person, {_AS_FAR}", Exit.OK),
    "no_match": Verdict("NO MATCH", f"not the same person, {_AS_FAR}", Exit.NO),
    "live": Verdict("LIVE", f"a live face, {_AS_FAR}", Exit.OK),
    "not_live": Verdict("NOT LIVE", f"not a live face, {_AS_FAR}", Exit.NO),
    "verified": Verdict("VERIFIED", f"live and same person, {_AS_FAR}", Exit.OK),
    "review": Verdict("REVIEW", "neither yes nor no: a person should look", Exit.LOOK),
    "inconclusive": Verdict(
        "INCONCLUSIVE", "no usable face: this says nothing about the people", Exit.LOOK
    ),
}

_RULES = {ThresholdRule.ABOVE: "above", ThresholdRule.AT_LEAST: "at least"}

_AUTHORS = {
    ThresholdSource.PROFILE: ", from the profile",
    ThresholdSource.DEFAULT: ", the default",
    ThresholdSource.VENDOR: ", the vendor's",
}

#: The text of each kind of advice.
_ADVICE: dict[Advice, str] = {
    Advice.RETAKE_PHOTO: "take the photograph again",
    Advice.BETTER_LIGHT: "take the photograph again, closer and in better light",
    Advice.ONE_FACE_ONLY: "use a photograph that shows one face",
    Advice.POSSIBLE_FRAUD: "this may be fraud: look at it before you accept anybody",
    Advice.REVIEW: "a person should look",
}

_CHARGED = {Charged.YES: "charged", Charged.NO: "not charged", Charged.UNKNOWN: "perhaps charged"}


def limits(result: Result) -> str:
    """Describe the threshold, for example ``threshold at least 50, the default``."""
    threshold = result.threshold
    review = result.review_threshold
    if threshold is None or threshold.value is None:
        text = "the vendor's own threshold"
    else:
        rule = _RULES.get(threshold.rule, "the vendor's rule at")
        author = _AUTHORS.get(threshold.source, "")
        text = f"threshold {rule} {format_number(threshold.value)}{author}"
    if review is not None and review.value is not None:
        text += f", review up to {format_number(review.value)}"
    return text


def warning_words(warning: ResultWarning) -> str:
    """Return a warning's text (else its tag, else its code), followed by its advice."""
    text = warning.text or warning.tag or warning.code.value.replace("_", " ")
    line = f"warning: {text.rstrip('.')}."
    if warning.tag and warning.tag != text:
        line += f" [{warning.tag}]"
    if warning.advice:
        line += f" Advice: {_ADVICE[warning.advice]}."
    return line


def cost_words(result: MatchResult | LivenessResult) -> str:
    """Return a line with the backend, the charge and the elapsed time."""
    line = result.backend
    if result.environment in (Environment.MOCK, Environment.SANDBOX):
        line += f", from a {result.environment}: not real"
    line += f", {_CHARGED[result.billing.charged]}"
    if result.billing.ground:
        line += f" ({result.billing.ground})"
    return f"{line}, {result.elapsed_s:.2f} s"
