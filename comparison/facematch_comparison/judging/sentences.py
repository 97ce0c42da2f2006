"""Write the sentences of an evaluation: the verdict and the caveats.

Every sentence is built only from the numbers of the evaluation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import attrs

from facematch_comparison import stats
from facematch_comparison.values import numbers
from facematch_comparison.values.model import Caveat, Difference, Evaluation, System
from facematch_comparison.values.numbers import counted, in_words, join_names, percent, points
from facematch_core.models import Environment

#: Minimum number of people to show how much people differ.
FEW_PEOPLE: Final = 50

#: Placeholder for the names of systems in a caveat, so that equal texts can be merged.
_NAMES: Final = "\0"


def with_sentences(evaluation: Evaluation, trials: int, *, is_default_fmr: bool) -> Evaluation:
    """Return the evaluation with its headline, limit, caveats and sentences on differences.

    `trials` is the number of non-mated pairs for choosing thresholds. It determined the required
    FMR if `is_default_fmr`.
    """
    differences = tuple(
        attrs.evolve(two, sentence=two.sentence or _compare_two(evaluation, two))
        for two in evaluation.differences
    )
    evaluation = attrs.evolve(evaluation, differences=differences)
    return attrs.evolve(
        evaluation,
        headline=_headline(evaluation, trials),
        limit=_limit(evaluation),
        caveats=tuple(_caveats(evaluation, trials if is_default_fmr else None)),
    )


def _headline(evaluation: Evaluation, trials: int) -> str:
    systems, required = evaluation.systems, evaluation.required_fmr
    judged = [system for system in systems if system.at_required]
    names = [system.name for system in judged]
    if not judged:
        text = f"No system can be judged at {in_words(required)}: "
        text += systems[0].why_not or "it returns no scores."
        strictest = stats.strictest_fmr(trials)
        if stats.why_unseen(required, trials) and strictest:
            text += f" These pairs support {in_words(strictest)}."
        decides = any(system.at_default for system in systems)
        return f"{text} The table shows each system's own decisions." if decides else text
    compared = [two for two in evaluation.differences if two.frr]
    if len(judged) == 1:
        text = _describe_one(evaluation, judged[0])
    elif not compared and (reason := stats.why_not_comparable(required, trials)):
        text = f"{join_names(names)} are not compared: {reason}"
    elif len(judged) == 2 or not compared:
        pairs = {(two.first, two.second): two.sentence for two in evaluation.differences}
        text = pairs[names[0], names[1]]
    else:
        text = _describe_several(evaluation, compared)
    others = [system.name for system in systems if system not in judged]
    return f"{text} {join_names(others)} cannot be judged at this rate." if others else text


def _where(evaluation: Evaluation, names: Collection[str]) -> str:
    """Return where these systems are judged: at the required FMR, or at fixed thresholds."""
    fixed = [
        f"{numbers.score(at.threshold)} ({system.name})"
        for system in evaluation.systems
        if system.name in names and (at := system.at_required)
        if at.chosen_on == "fixed" and at.threshold is not None
    ]
    required = in_words(evaluation.required_fmr)
    if not fixed:
        return required
    words = f"the fixed {'threshold' if len(fixed) == 1 else 'thresholds'} {join_names(fixed)}"
    return words if len(fixed) == len(names) else f"{required}, and {words}"


def _compare_two(evaluation: Evaluation, two: Difference) -> str:
    where = _where(evaluation, (two.first, two.second))
    verdict = "the difference may be due to chance"
    if two.is_real:
        # At a fixed threshold, a lower FRR may just be due to a higher FMR.
        is_free = where == in_words(evaluation.required_fmr)
        does = "is better" if is_free else "rejects fewer"
        verdict = f"{two.better} {does}, and the difference is significant"
    elif two.errors_first == two.errors_second and two.frr:
        ends = two.frr.interval
        most = points(max(-ends.low, ends.high), ends.high - ends.low)
        verdict = f"no difference was seen, but one of up to {most} points is possible"
    people = counted(two.subjects, "genuine person", "genuine people")
    if not evaluation.study.people_known:
        people = counted(two.pairs, "genuine attempt", "genuine attempts")
    elif two.pairs != two.subjects:
        people = f"{counted(two.pairs, 'attempt', 'attempts')} by {people}"
    return (
        f"{_beyond(evaluation, two.beyond)}At {where}, {two.first} rejects "
        f"{two.errors_first:,} of {people} and {two.second} {two.errors_second:,}: {verdict}."
    )


def _beyond(evaluation: Evaluation, names: Collection[str]) -> str:
    """Return a sentence on systems whose FMR is too high for their FRR to be comparable, or ""."""
    if not names:
        return ""
    does = "exceeds {}, so its FRR looks" if len(names) == 1 else "exceed {}, so their FRRs look"
    rate = f"an FMR of {numbers.setting(evaluation.required_fmr)} %"
    return f"{join_names(sorted(names))} {does.format(rate)} too low. "


def _describe_one(evaluation: Evaluation, system: System) -> str:
    point, at = system.at_required, _where(evaluation, [system.name])
    frr = point and point.shown("frr")
    if not point or point.threshold is None or not frr or frr.interval is None:
        return f"No data show how often {system.name} rejects genuine people at {at}."
    threshold = f"threshold {numbers.score(point.threshold)}"
    if point.chosen_on != "fixed":
        at += f" ({threshold})"
    text = f"At {at}, {system.name} rejects {frr.errors:,} of {frr.trials:,} genuine attempts"
    low, high = frr.interval.low, frr.interval.high
    ends = f"{percent(low, high - low)} % to {percent(high, high - low)} %"
    return f"{text}; the true rate is {ends}, with {100 * evaluation.confidence:g} % confidence."


def _describe_several(evaluation: Evaluation, compared: Sequence[Difference]) -> str:
    """Return a sentence that compares the best unbeaten system with every other one."""
    judged = {each.name: each.at_required.frr for each in evaluation.systems if each.at_required}
    matchups = [(name, two) for two in compared for name in (two.first, two.second)]
    beaten = {name for name, two in matchups if two.is_real and name != two.better}
    apart = [name for name in judged if name not in dict(matchups)]
    best = min(
        (name for name in judged if name not in apart),
        key=lambda name: (name in beaten, judged[name].value or 0.0),
    )
    rest = {name: two for name, two in matchups if name != best and best in (two.first, two.second)}
    worse = [name for name, two in rest.items() if two.better == best]
    alike = {name: two.frr for name, two in rest.items() if name not in worse and two.frr}
    parts = []
    if worse:
        parts.append(f"significantly fewer than {join_names(worse)}")
    if alike:
        most = max(end for gap in alike.values() for end in (-gap.interval.low, gap.interval.high))
        possible = f"at most {points(most, most)} points"
        parts.append(f"no significant difference from {join_names([*alike])} ({possible})")
    beyond = {name for two in rest.values() for name in two.beyond}
    text = f"{_beyond(evaluation, beyond)}At {_where(evaluation, judged)}, {best} rejects "
    text += f"{judged[best].errors:,} of {judged[best].trials:,} genuine attempts"
    text += f": {'; '.join(parts)}." if parts else "."
    is_are = "is" if len(apart) == 1 else "are"
    return f"{text} {join_names(apart)} {is_are} not compared." if apart else text


def _limit(evaluation: Evaluation) -> str | None:
    """Return the highest upper bound of an FMR in one sentence, if it is above the required FMR."""
    points = {each.name: each.point for each in evaluation.systems if each.point}
    highs = {name: at.fmr.interval.high for name, at in points.items() if at.fmr.interval}
    name = max(highs, key=lambda name: highs[name], default="")
    if not highs or highs[name] <= evaluation.required_fmr:
        return None
    count = points[name].fmr.errors
    of = f" of {name}" if len(evaluation.systems) > 1 else ""
    so = f"the true FMR may be as high as {numbers.one_in_at_least(highs[name])}."
    if count and points[name].chosen_on == "evaluation":
        matches = counted(count, "false match", "false matches")
        return f"The threshold{of} rests on only {matches}; {so}"
    matches = counted(count, "false match was seen at", "false matches were seen at")
    return f"{matches} the threshold{of}; {so}"


def _caveats(evaluation: Evaluation, trials: int | None) -> Iterator[Caveat]:
    """Yield the caveats of single systems, with equal texts merged, then of the whole comparison.

    `trials` is the number of non-mated pairs that determined the required FMR; None if the caller
    passed one.
    """
    together: dict[tuple[str, object], list[str]] = {}
    for system in evaluation.systems:
        for code_and_text in _of_system(evaluation, system).items():
            together.setdefault(code_and_text, []).append(system.name)
    together |= {caveat: [] for caveat in _of_study(evaluation, trials).items()}
    for (code, text), names in together.items():
        if text:
            words = str(text).replace(_NAMES, join_names(names)) if names else str(text)
            yield Caveat(code=code, systems=tuple(names), text=words)


def _of_system(evaluation: Evaluation, system: System) -> dict[str, object]:
    """Return each caveat of a system by code, or a false value; `_NAMES` replaces its name."""
    required, is_scored = f"{numbers.setting(evaluation.required_fmr)} %", system.kind == "scores"
    at = system.at_required if is_scored else system.at_default
    needed = stats.trials_for(evaluation.required_fmr, confidence=evaluation.confidence)
    missing, calls = system.service.answered.errors, system.service.calls
    return {
        "not_the_vendor": system.environment in (Environment.MOCK, Environment.SANDBOX)
        and f"The numbers of {_NAMES} prove nothing about the vendor's matcher: a "
        f"{system.environment} answered.",
        "decisions_only": not is_scored
        and f"The rates of {_NAMES} at other thresholds are unknown. "
        f"{system.why_not or 'Too few of the pairs that choose thresholds have a score.'}",
        "no_threshold": is_scored
        and at is None
        and f"The rates of {_NAMES} at an FMR of {required} are unknown. {system.why_not}",
        "fmr_floor": at
        and at.fmr.trials < needed
        and f"{counted(at.fmr.trials, 'non-mated pair is', 'non-mated pairs are')} too few to show "
        f"an FMR of {_NAMES} below {required}; {needed:,} without errors are needed.",
        "concentrated": _where_few_decide(system),
        "without_score": system.without_score
        and f"{_NAMES} returned no score for {counted(system.without_score, 'pair', 'pairs')} that "
        "it compared. At a threshold they count as rejected.",
        "not_answered": missing
        and f"{missing:,} of {counted(calls, 'pair', 'pairs')} have no answer from {_NAMES}. "
        "Unanswered pairs count in no rate.",
        "unknown_origin": system.environment is None
        and f"No column says whether a vendor, a sandbox or a mock gave the scores of {_NAMES}.",
    }


def _where_few_decide(system: System) -> str | None:
    few = system.concentration
    # Bounds are doubtful if one person is in a quarter of at least eight pairs.
    if few is None or few.pairs < 8 or few.worst_person < 0.25:
        return None
    who = "one person" if few.person is None else f"one person, {few.person},"
    what, pairs, without = "FMR", "false matches", ""
    if system.at_required and system.at_required.chosen_on == "evaluation":
        what, pairs = "threshold", "non-mated pairs that set it"
        if few.threshold_without is not None:
            at = numbers.score(few.threshold_without)
            without = f" Without that person it would be {at}."
    return (
        f"The {what} of {_NAMES} depends on few people: {who} is in {100 * few.worst_person:.0f} % "
        f"of the {few.pairs:,} {pairs}.{without} Bounds are less reliable if few people decide."
    )


def _of_study(evaluation: Evaluation, trials: int | None) -> dict[str, object]:
    """Return each caveat of the whole comparison by code, or a false value if it does not apply."""
    strictest = trials and stats.strictest_fmr(trials)
    fewest = ", the fewest that a system scored," if len(evaluation.systems) > 1 else ""
    study, needed = evaluation.study, stats.trials_for(0.01, confidence=evaluation.confidence)
    mated, people = study.evaluation.mated, study.evaluation.subjects
    return {
        "strictest_rate": strictest
        and f"{trials:,} non-mated pairs{fewest} support no stricter rate than "
        f"{in_words(strictest)}. Reports with the same required FMR are comparable.",
        "fnmr_floor": mated < needed
        and f"{counted(mated, 'mated pair is', 'mated pairs are')} too few to show an FRR below "
        f"1 %; {needed:,} without errors are needed.",
        "few_people": people < FEW_PEOPLE
        and study.people_known
        and f"Only {counted(people, 'person was', 'people were')} tested. Other people may be "
        f"easier or harder to recognise; {FEW_PEOPLE} are needed to show how much.",
        "people_unknown": not study.people_known
        and "The file does not name all people. People of two pairs count as different unless "
        "mated pairs connect their pictures, so intervals may be too narrow and differences "
        "called significant by mistake. If columns name people, pass them as probe_subject and "
        "reference_subject.",
        "no_groups": not study.groups
        and "The data name no groups, so differences between groups are unknown.",
        "one_system": len(evaluation.systems) == 1
        and "Only one system was tested: another one may be better.",
        "impostors": "Resistance to fraud was not tested: nobody in the non-mated pairs tried to "
        "look like somebody else, and nobody held up a photograph.",
    }
