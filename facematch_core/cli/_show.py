"""A result for people: one line that says it, then what else they should know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from facematch_core._enums import Advice, Billed, Environment, WarningCode
from facematch_core._results import LiveMatchResult, LivenessResult, MatchResult, ResultWarning

from ._text import clean, console, number
from ._verdicts import VERDICTS, limits

if TYPE_CHECKING:
    from rich.text import Text

#: What a person can do about a warning.
ADVICE: dict[Advice, str] = {
    Advice.RETAKE_PHOTO: "take the photograph again",
    Advice.BETTER_LIGHT: "take the photograph again, closer and in better light",
    Advice.ONE_FACE_ONLY: "use a photograph that shows one face",
    Advice.POSSIBLE_FRAUD: "this may be fraud: look at it before anybody is let in",
    Advice.REVIEW: "a person should look",
}

_CHARGED = {
    Billed.YES: "charged",
    Billed.NO: "not charged",
    Billed.UNKNOWN: "perhaps charged",
}

#: Answers that may not be taken for a vendor's real ones.
_UNREAL = {
    Environment.MOCK: "from a mock: not real",
    Environment.SANDBOX: "from a sandbox: not real",
}

Answer = MatchResult | LivenessResult | LiveMatchResult


def show(result: Answer, *, as_json: bool, may_rotate: bool = False) -> None:
    """Print a result to stdout.

    Args:
        result: The result.
        as_json: As JSON, unchanged.
        may_rotate: The backend could also try turned pictures, and was not asked to.
    """
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2))
        return
    to = console()
    for line in lines(result, may_rotate=may_rotate):
        to.print(line)


def lines(result: Answer, *, may_rotate: bool = False) -> Iterator[Text]:
    """A result as lines of text."""
    from rich.text import Text

    if isinstance(result, LiveMatchResult):
        verdict = VERDICTS[result.decision.value]
        yield Text.assemble((verdict.word, verdict.style), f"  {verdict.says}")
        for title, part in (("liveness", result.liveness), ("match", result.match)):
            if part is None:
                yield Text(f"{title}: not asked for, not charged")
            else:
                first, *rest = _one(part, may_rotate=may_rotate)
                yield Text.assemble(f"{title}: ", first)
                yield from rest
        return
    yield from _one(result, may_rotate=may_rotate)


def _one(result: MatchResult | LivenessResult, *, may_rotate: bool) -> Iterator[Text]:
    from rich.text import Text

    verdict = VERDICTS[result.decision.value]
    score = "no score" if result.score is None else f"score {number(result.score.value)}"
    scale = "" if result.score is None else f"{result.score.scale}, "
    yield Text.assemble(
        (verdict.word, verdict.style),
        clean(f"  {score} ({scale}{limits(result)})  {verdict.says}"),
    )
    for words in _details(result, may_rotate=may_rotate):
        yield Text(f"  {clean(words)}")


def _details(result: MatchResult | LivenessResult, *, may_rotate: bool) -> Iterator[str]:
    inconclusive = result.decision.value == "inconclusive"
    for warning in result.warnings:
        turn = may_rotate and inconclusive and warning.code is WarningCode.NO_FACE
        yield warning_words(warning, *(["try --rotate"] if turn else []))
    if isinstance(result, LivenessResult):
        told = {"quality": result.quality, "luminance": result.luminance}
        known = [f"{name} {number(value)}" for name, value in told.items() if value is not None]
        if known:
            yield ", ".join(known)
    if result.skipped:
        members = ", ".join(f"{s.backend} ({s.reason})" for s in result.skipped)
        yield f"answered by {result.answered_by}, not by {members}"
        yield from (f"{skipped.backend}: {skipped.message}" for skipped in result.skipped)
    ids = {"request": result.request_id, "kept by the vendor as session": result.session_id}
    known = [f"{name} {value}" for name, value in ids.items() if value is not None]
    if known:
        yield ", ".join(known)
    yield _cost(result)


def warning_words(warning: ResultWarning, *more: str) -> str:
    """A warning as a sentence, with the advice that goes with it, or `more` of it."""
    text = warning.text or warning.tag or warning.code.value.replace("_", " ")
    tag = f" [{warning.tag}]" if warning.tag and warning.tag != text else ""
    known = [ADVICE[warning.advice]] if warning.advice else []
    advice = f" Advice: {', or '.join([*known, *more])}." if known or more else ""
    return f"warning: {text.rstrip('.')}.{tag}{advice}"


def _cost(result: MatchResult | LivenessResult) -> str:
    charged = _CHARGED[result.billed]
    if result.billed_ground:
        charged += f" ({result.billed_ground})"
    unreal = _UNREAL.get(result.environment)
    parts = [result.backend, *([unreal] if unreal else []), charged, f"{result.elapsed_s:.2f} s"]
    return ", ".join(parts)
