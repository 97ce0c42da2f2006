"""Write the sentences of an evaluation: the verdict and the caveats.

Every sentence is built only from the numbers of the evaluation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import attrs

from facematch_comparison.stats import strictest_fmr, trials_for, why_not_comparable, why_unseen
from facematch_comparison.values.model import Caveat, Difference, Evaluation, System
from facematch_comparison.values.numbers import (
    counted,
    in_words,
    join_names,
    one_in_at_least,
    percent,
    points,
    score,
    setting,
    upper_percent,
    where_judged,
)
from facematch_core.models import Environment

#: Minimum number of people to show how people differ in general.
FEW_PEOPLE: Final = 50

#: Bounds are doubtful if one person is in this share of at least `ENOUGH_PAIRS` pairs.
MUCH_OF_ONE: Final = 0.25
ENOUGH_PAIRS: Final = 8

#: Placeholder for the names of systems in a caveat, so that equal texts can be merged.
_NAMES: Final = "\0"


def with_sentences(evaluation: Evaluation, trials: int, *, is_default_fmr: bool) -> Evaluation:
    """Return the evaluation with its headline, limit, caveats and sentences on differences.

    `trials` is the number of non-mated pairs for choosing thresholds. `is_default_fmr` says whether
    it determined the required FMR.
    """
    fixed = {
        system.name: at.threshold
        for system in evaluation.systems
        if (at := system.at_required) and at.chosen_on == "fixed"
    }
    differences = tuple(
        attrs.evolve(two, sentence=two.sentence or _compare_two(evaluation, two, fixed))
        for two in evaluation.differences
    )
    evaluation = attrs.evolve(evaluation, differences=differences)
    return attrs.evolve(
        evaluation,
        headline=_headline(evaluation, trials, fixed),
        limit=_limit(evaluation),
        caveats=tuple(_caveats(evaluation, trials if is_default_fmr else None)),
    )


def _headline(evaluation: Evaluation, trials: int, fixed: Mapping[str, float | None]) -> str:
    systems, required = evaluation.systems, evaluation.required_fmr
    judged = [system for system in systems if system.at_required]
    names = [system.name for system in judged]
    at = where_judged(required, {name: fixed.get(name) for name in names})
    if not judged:
        text = f"No system can be judged at {in_words(required)}: "
        text += systems[0].why_not or "it gives no scores."
        strictest = strictest_fmr(trials)
        if why_unseen(required, trials) and strictest:
            text += f" These pairs support {in_words(strictest)}."
        decides = any(system.at_default for system in systems)
        return f"{text} The table shows each system's own decisions." if decides else text
    if len(judged) == 1:
        return _describe_one(judged[0], at, evaluation.confidence)
    compared = [two for two in evaluation.differences if two.frr]
    if not compared and (reason := why_not_comparable(required, trials)):
        return f"{join_names(names)} are not compared: {reason}"
    if len(judged) == 2 or not compared:
        pairs = ((two, {two.first, two.second}) for two in evaluation.differences)
        return next(two.sentence for two, both in pairs if both == {*names[:2]})
    in_any = {name for two in compared for name in (two.first, two.second)}
    text = _describe_several(
        [each for each in judged if each.name in in_any], compared, required, at
    )
    apart = [name for name in names if name not in in_any]
    is_are = "is" if len(apart) == 1 else "are"
    return f"{text} {join_names(apart)} {is_are} not compared." if apart else text


def _compare_two(evaluation: Evaluation, two: Difference, fixed: Mapping[str, float | None]) -> str:
    required, errors = evaluation.required_fmr, (two.errors_first, two.errors_second)
    thresholds = {name: fixed.get(name) for name in (two.first, two.second)}
    verdict = "the difference may be chance"
    if two.is_real:
        # At a fixed threshold, a lower FRR may only come from a higher FMR.
        does = "is better" if set(thresholds.values()) == {None} else "turns away fewer"
        verdict = f"{two.better} {does}, and the difference is significant"
    elif errors[0] == errors[1] and two.frr:
        ends = two.frr.interval
        most = points(max(-ends.low, ends.high), ends.high - ends.low)
        verdict = f"no difference was seen, but one of up to {most} points is possible"
    people = counted(two.subjects, "genuine person", "genuine people")
    if two.pairs != two.subjects:
        people = f"{counted(two.pairs, 'attempt', 'attempts')} by {people}"
    text = f"{_beyond(two.beyond, required)}At {where_judged(required, thresholds)}, {two.first} "
    return f"{text}turns away {errors[0]:,} of {people} and {two.second} {errors[1]:,}: {verdict}."


def _beyond(names: Collection[str], required_fmr: float) -> str:
    """Return a sentence on systems whose FMR is too high for a fair FRR, or ""."""
    if not names:
        return ""
    does = "exceeds {}, so its FRR looks" if len(names) == 1 else "exceed {}, so their FRRs look"
    rate = f"an FMR of {setting(required_fmr)} %"
    return f"{join_names(sorted(names))} {does.format(rate)} too low. "


def _describe_one(system: System, at: str, confidence: float) -> str:
    point = system.at_required
    if point is None or point.threshold is None or not point.frr.trials:
        return f"No data show how often {system.name} turns genuine people away at {at}."
    frr, threshold = point.shown("frr"), f"the threshold {score(point.threshold)}"
    if point.frr_at_fmr:
        at = f"{at}, by {threshold}"
    elif point.chosen_on != "fixed":
        at = f"{threshold}, chosen for {at}"
    text = f"At {at}, {system.name} turns away {frr.errors:,} of {frr.trials:,} genuine attempts"
    if frr.interval is None:
        return f"{text}."
    low, high = frr.interval.low, frr.interval.high
    ends = f"{percent(low, high - low)} % to {percent(high, high - low)} %"
    return f"{text}; the true rate is {ends}, with {100 * confidence:g} % confidence."


def _describe_several(
    judged: Sequence[System], compared: Sequence[Difference], required_fmr: float, at: str
) -> str:
    """Return a sentence that compares the best unbeaten system with each other system."""
    beaten = {
        two.second if two.better == two.first else two.first for two in compared if two.is_real
    }
    unbeaten = [system for system in judged if system.name not in beaten]
    rates = {each.name: each.at_required.frr for each in unbeaten or judged if each.at_required}
    best, frr = min(rates.items(), key=lambda item: item[1].value or 0.0)
    against = {
        two.second if two.first == best else two.first: two
        for two in compared
        if best in (two.first, two.second)
    }
    worse = [name for name, two in against.items() if two.better == best]
    alike = {
        name: two.frr.interval for name, two in against.items() if name not in worse and two.frr
    }
    most = max([0.0, *(end for ends in alike.values() for end in (-ends.low, ends.high))])
    parts = []
    if worse:
        parts.append(f"significantly fewer than {join_names(worse)}")
    if alike:
        possible = f"at most {points(most, most)} points"
        parts.append(f"no significant difference from {join_names([*alike])} ({possible})")
    beyond = {name for two in against.values() for name in two.beyond}
    text = f"{_beyond(beyond, required_fmr)}At {at}, {best} turns away {frr.errors:,} of "
    text += f"{frr.trials:,} genuine attempts"
    return f"{text}: {'; '.join(parts)}." if parts else f"{text}."


def _limit(evaluation: Evaluation) -> str | None:
    """Return the weakest point of the headline in one sentence; None without a rate."""
    # Take the FMR with the highest upper bound. If that is within the required FMR, take the FRR
    # with the fewest errors.
    of = " of {}" if len(evaluation.systems) > 1 else ""
    judged = [(of.format(each.name), each.point) for each in evaluation.systems if each.point]
    fmrs = [(at.fmr.interval.high, of, at) for of, at in judged if at.fmr.interval]
    high, of, worst = max(fmrs, key=lambda each: each[0], default=(0.0, "", None))
    if worst and high > evaluation.required_fmr:
        count = worst.fmr.errors
        matches = counted(count, "false match was seen at", "false matches were seen at")
        if count and worst.chosen_on == "evaluation":
            matches = counted(count, "false match sets", "false matches set")
        return (
            f"{matches} the threshold{of}; the true FMR may be as high as {one_in_at_least(high)}."
        )
    frrs = [(at.shown("frr"), of) for of, at in judged]
    ends = [(rate, rate.interval.high, of) for rate, of in frrs if rate.interval]
    if not ends:
        return None
    rate, high, of = min(ends, key=lambda each: each[0].errors)
    return (
        f"{rate.errors:,} of {rate.trials:,} genuine attempts{of} were turned away; the true FRR "
        f"may be as high as {upper_percent(high)} %."
    )


def _caveats(evaluation: Evaluation, trials: int | None) -> Iterator[Caveat]:
    """Yield the caveats: of single systems, with equal texts merged, then of the comparison.

    `trials` is the number of non-mated pairs that determined the required FMR; None if the caller
    passed one.
    """
    together: dict[tuple[str, str], list[str]] = {}
    for system in evaluation.systems:
        for code_and_text in _of_system(evaluation, system).items():
            together.setdefault(code_and_text, []).append(system.name)
    if trials is not None and (strictest := strictest_fmr(trials)):
        text = f"{trials:,} non-mated pairs support no stricter rate than {in_words(strictest)}."
        together["strictest_rate", text] = []
    for code_and_text in _of_study(evaluation).items():
        together[code_and_text] = []
    for (code, text), names in together.items():
        named = text.replace(_NAMES, join_names(names)) if names else text
        yield Caveat(code=code, systems=tuple(names), text=named)


def _of_system(evaluation: Evaluation, system: System) -> dict[str, str]:
    """Return the caveats of a system by code, with a placeholder for its name."""
    texts: dict[str, str] = {}
    required, is_scored = f"{setting(evaluation.required_fmr)} %", system.kind == "scores"
    at = system.at_required if is_scored else system.at_default
    if system.environment in (Environment.MOCK, Environment.SANDBOX):
        texts["not_the_vendor"] = (
            f"The numbers of {_NAMES} say nothing about the vendor's matcher: a "
            f"{system.environment} answered."
        )
    if not is_scored:
        why_not = system.why_not or "Too few of the pairs that choose thresholds have a score."
        texts["decisions_only"] = (
            f"The rates of {_NAMES} at other thresholds are unknown. {why_not}"
        )
    elif at is None:
        unknown = f"The rates of {_NAMES} at an FMR of {required} are unknown."
        texts["no_threshold"] = f"{unknown} {system.why_not}"
    needed = trials_for(evaluation.required_fmr, confidence=evaluation.confidence)
    if at and at.fmr.trials < needed:
        few = counted(at.fmr.trials, "non-mated pair is", "non-mated pairs are")
        texts["fmr_floor"] = (
            f"{few} too few to show an FMR of {_NAMES} below {required}: that takes {needed:,} "
            "without an error."
        )
    if text := _where_few_decide(system):
        texts["concentrated"] = text
    if system.without_score:
        pairs = counted(system.without_score, "pair", "pairs")
        texts["without_score"] = (
            f"{_NAMES} compared {pairs} without giving a score. At a threshold they count as "
            "turned away."
        )
    if missing := system.service.answered.errors:
        calls = counted(system.service.calls, "pair", "pairs")
        texts["not_answered"] = (
            f"{_NAMES} did not answer {missing:,} of {calls}. Unanswered pairs count in no rate."
        )
    if system.environment is None:
        texts["unknown_origin"] = f"The file does not say where the scores of {_NAMES} come from."
    return texts


def _where_few_decide(system: System) -> str | None:
    few = system.concentration
    if few is None or few.pairs < ENOUGH_PAIRS or few.worst_person < MUCH_OF_ONE:
        return None
    who = "one person" if few.person is None else f"one person, {few.person},"
    what, pairs, without = "FMR", "false matches", ""
    if system.at_required and system.at_required.chosen_on == "evaluation":
        what, pairs = "threshold", "non-mated pairs that set it"
        if few.threshold_without is not None:
            without = f" Without that person it would be {score(few.threshold_without)}."
    return (
        f"The {what} of {_NAMES} depends on few people: {who} is in {100 * few.worst_person:.0f} % "
        f"of the {few.pairs:,} {pairs}.{without} Bounds are less reliable if few people decide."
    )


def _of_study(evaluation: Evaluation) -> dict[str, str]:
    """Return the caveats of the whole comparison, by code."""
    study, texts = evaluation.study, {}
    mated, people = study.evaluation.mated, study.evaluation.subjects
    needed = trials_for(0.01, confidence=evaluation.confidence)
    if mated < needed:
        few = counted(mated, "mated pair is", "mated pairs are")
        texts["fnmr_floor"] = (
            f"{few} too few to show an FRR below 1 %: that takes {needed:,} without an error."
        )
    if people < FEW_PEOPLE:
        texts["few_people"] = (
            f"Only {counted(people, 'person was', 'people were')} tested. Other people may be "
            f"easier or harder to recognise; it takes {FEW_PEOPLE} to show how much."
        )
    if not study.people_known:
        texts["people_unknown"] = (
            "The file does not name all people. People of two pairs count as different unless "
            "mated pairs connect their pictures, so intervals may be too narrow. The columns "
            "probe_subject and reference_subject name people."
        )
    if not study.groups:
        texts["no_groups"] = "The data name no groups, so differences between groups are unknown."
    if len(evaluation.systems) == 1:
        texts["one_system"] = "Only one system was tested: another one may be better."
    texts["impostors"] = (
        "Resistance to fraud was not tested: nobody in the non-mated pairs tried to look like "
        "somebody else, and nobody held up a photograph."
    )
    return texts
