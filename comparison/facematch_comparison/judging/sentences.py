"""Write the sentences of an evaluation: the verdict and the caveats.

Every sentence is built only from the numbers of the evaluation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from facematch_comparison.stats import strictest_fmr, trials_for, why_not_comparable, why_unseen
from facematch_comparison.values.model import Caveat, Difference, Evaluation, Rate, System
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


def with_sentences(evaluation: Evaluation, trials: int, *, is_default_fmr: bool) -> Evaluation:
    """Return the evaluation with its headline, limit, caveats and sentences on differences."""
    fixed = {
        system.name: at.threshold
        for system in evaluation.systems
        if (at := system.at_required) and at.chosen_on == "fixed" and at.threshold is not None
    }
    return attrs.evolve(
        evaluation,
        headline=headline(evaluation, trials=trials, at_thresholds=fixed),
        differences=tuple(
            two
            if two.sentence
            else attrs.evolve(two, sentence=of_difference(two, evaluation.required_fmr, fixed))
            for two in evaluation.differences
        ),
        caveats=caveats(evaluation, trials if is_default_fmr else None),
        limit=limit(evaluation),
    )


def headline(
    evaluation: Evaluation,
    *,
    trials: int,
    at_thresholds: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Return the verdict in a sentence; `trials`: non-mated pairs for choosing thresholds."""
    systems, differences = evaluation.systems, evaluation.differences
    required_fmr = evaluation.required_fmr
    judged = [system for system in systems if system.at_required is not None]
    at = where_judged(required_fmr, {each.name: at_thresholds.get(each.name) for each in judged})
    if not judged:
        why_not = systems[0].why_not or "no scores."
        decides = any(system.at_default for system in systems)
        table = " The table has each system at its own decisions." if decides else ""
        strictest = strictest_fmr(trials)
        if why_unseen(required_fmr, trials) and strictest:
            table = f" They bear {in_words(strictest)}.{table}"
        return f"At {in_words(required_fmr)}, no system can be judged: {why_not}{table}"
    if len(judged) == 1:
        return _describe_one(judged[0], at, evaluation.confidence)
    names = [system.name for system in judged]
    compared = [each for each in differences if each.frr is not None]
    apart = [name for name in names if not any(name in (two.first, two.second) for two in compared)]
    if not compared and (reason := why_not_comparable(required_fmr, trials)):
        return f"{join_names(names)} are not compared: {reason}"
    if len(judged) > 2 and compared:
        sentence = _describe_several(
            [each for each in judged if each.name not in apart], compared, at, required_fmr
        )
        is_are = "is" if len(apart) == 1 else "are"
        return f"{sentence} {join_names(apart)} {is_are} not compared." if apart else sentence
    (both,) = (each for each in differences if {each.first, each.second} == {*names[:2]})
    return of_difference(both, required_fmr, at_thresholds, at) if compared else both.sentence


def of_difference(
    difference: Difference,
    required_fmr: float,
    at_thresholds: Mapping[str, float] = MappingProxyType({}),
    at: str | None = None,
) -> str:
    """Return the sentence on two systems; `at` describes the FMR."""
    first, second, beyond = difference.first, difference.second, difference.beyond
    fixed = {name: at_thresholds.get(name) for name in (first, second)}
    at = at or where_judged(required_fmr, fixed)
    is_chosen = set(fixed.values()) == {None}
    errors_first, errors_second = difference.errors_first, difference.errors_second
    if difference.is_real:
        # At a fixed threshold, a lower FRR may only come from a higher FMR.
        does = "is better" if is_chosen else "turns away fewer"
        verdict = f"{difference.better} {does}, and that is not chance"
    elif errors_first == errors_second and difference.frr is not None:
        ends = difference.frr.interval
        most = points(max(-ends.low, ends.high), ends.high - ends.low)
        verdict = f"no difference was seen; one of up to {most} points is possible"
    else:
        verdict = "that may be chance"
    people = counted(difference.subjects, "genuine person", "genuine people")
    if difference.pairs != difference.subjects:
        people = f"{counted(difference.pairs, 'attempt', 'attempts')} by {people}"
    return (
        f"{_beyond(beyond, required_fmr)}At {at}, {first} turns away {errors_first:,} of {people} "
        f"and {second} {errors_second:,}: {verdict}."
    )


def _beyond(names: Collection[str], required_fmr: float) -> str:
    """Return a sentence on systems whose FMR is too high for a fair FRR, or ""."""
    if not names:
        return ""
    exceeds, whom = ("exceeds", "it") if len(names) == 1 else ("exceed", "them")
    rate = f"an FMR of {setting(required_fmr)} %"
    return f"{join_names(sorted(names))} {exceeds} {rate}, which flatters {whom}. "


def _describe_one(system: System, at: str, confidence: float) -> str:
    point = system.at_required
    if point is None or point.threshold is None or not point.frr.trials:
        return f"At {at}, nothing is known of how often {system.name} turns genuine people away."
    frr, threshold = point.shown("frr"), f"the threshold {score(point.threshold)}"
    if point.frr_at_fmr:
        at = f"{at}, by {threshold}"
    elif point.chosen_on != "fixed":
        at = f"{threshold}, chosen for {at}"
    sentence = (
        f"At {at}, {system.name} turns away {frr.errors:,} of {frr.trials:,} genuine attempts"
    )
    if frr.interval is None:
        return f"{sentence}."
    low, high = frr.interval.low, frr.interval.high
    ends = f"{percent(low, high - low)} % to {percent(high, high - low)} %"
    return f"{sentence}; the true rate there is {ends}, with {100 * confidence:g} % confidence."


def _describe_several(
    judged: Sequence[System], differences: Sequence[Difference], at: str, required_fmr: float
) -> str:
    """Return a sentence that compares the best unbeaten system with each other system."""
    beaten = {
        each.second if each.better == each.first else each.first
        for each in differences
        if each.is_real
    }
    unbeaten = [system for system in judged if system.name not in beaten]
    best = min(unbeaten or judged, key=lambda system: _frr(system).value or 0.0)
    against = {
        each.second if each.first == best.name else each.first: each
        for each in differences
        if best.name in (each.first, each.second)
    }
    real = [name for name, each in against.items() if each.better == best.name]
    chance = [name for name in against if name not in real]
    ends = [gap.interval for name in chance if (gap := against[name].frr)]
    most = max([0.0, *(end for each in ends for end in (-each.low, each.high))])
    beyond = {name for each in against.values() for name in each.beyond}
    parts = []
    if real:
        parts.append(f"fewer than {join_names(real)}, not by chance")
    if chance:
        possible = f"(up to {points(most, most)} points)"
        parts.append(f"no difference from {join_names(chance)} is shown {possible}")
    frr = _frr(best)
    sentence = _beyond(beyond, required_fmr)
    sentence += f"At {at}, {best.name} turns away {frr.errors:,} of {frr.trials:,} genuine attempts"
    return f"{sentence}: {'; '.join(parts)}." if parts else f"{sentence}."


def limit(evaluation: Evaluation) -> str | None:
    """Return the weakest point of the headline in one sentence; None without a rate."""
    # Take the FMR with the highest upper bound. If that is within the required FMR, take the FRR
    # with the fewest errors.
    several = len(evaluation.systems) > 1
    points = [
        (f" of {system.name}" if several else "", at)
        for system in evaluation.systems
        if (at := system.point)
    ]
    fmrs = [(at.fmr.interval.high, of, at) for of, at in points if at.fmr.interval]
    high, of, worst = max(fmrs, key=lambda each: each[0], default=(0.0, "", None))
    if worst is not None and high > evaluation.required_fmr:
        count = worst.fmr.errors
        matches = counted(count, "false match was seen at", "false matches were seen at")
        if count and worst.chosen_on == "evaluation":
            matches = counted(count, "false match placed", "false matches placed")
        most = one_in_at_least(high)
        return f"{matches} the threshold{of}; the true FMR may be up to {most}."
    rates = [(at.shown("frr"), of) for of, at in points]
    frrs = [(rate.errors, rate.interval.high, of, rate) for rate, of in rates if rate.interval]
    if not frrs:
        return None
    errors, high, of, fewest = min(frrs, key=lambda each: each[0])
    return (
        f"{errors:,} of {fewest.trials:,} genuine attempts{of} were turned away; the true FRR "
        f"may be up to {upper_percent(high)} %."
    )


def caveats(evaluation: Evaluation, trials: int | None) -> tuple[Caveat, ...]:
    """Return the caveats: first of single systems, with equal texts merged, then of the comparison.

    `trials`: the number of non-mated pairs that determined the required FMR; None if the caller
    passed one.
    """
    together: dict[tuple[str, str], list[str]] = {}
    for system in evaluation.systems:
        for code_and_text in _of_system(evaluation, system).items():
            together.setdefault(code_and_text, []).append(system.name)
    found = [
        Caveat(code=code, systems=tuple(names), text=text.replace(_NAMES, join_names(names)))
        for (code, text), names in together.items()
    ]
    of_all = {}
    if trials is not None and (strictest := strictest_fmr(trials)):
        text = f"How systems do at a stricter rate than {in_words(strictest)}: {trials:,} non-mated"
        of_all["strictest_rate"] = f"{text} pairs bear no other."
    of_all |= _of_the_study(evaluation)
    return (*found, *(Caveat(code=code, systems=(), text=text) for code, text in of_all.items()))


#: Placeholder for the names of systems in a caveat.
_NAMES: Final = "\0"


def _of_system(evaluation: Evaluation, system: System) -> dict[str, str]:
    """Return caveats of a system by code, with a placeholder for its name, for merging."""
    texts: dict[str, str] = {}
    if system.environment in (Environment.MOCK, Environment.SANDBOX):
        texts["not_the_vendor"] = (
            f"The numbers of {_NAMES} say nothing about the vendor's matcher: a "
            f"{system.environment} answered."
        )
    at = system.at_default if system.kind == "decisions" else system.at_required
    required = evaluation.required_fmr
    if system.kind == "decisions":
        why_not = system.why_not or "Too few of the pairs that choose thresholds have a score."
        texts["decisions_only"] = f"How {_NAMES} would do at another threshold. {why_not}"
    elif at is None:
        where = f"an FMR of {setting(required)} %"
        texts["no_threshold"] = f"How {_NAMES} would do at {where}. {system.why_not}"
    needed = trials_for(required, confidence=evaluation.confidence)
    if at is not None and at.fmr.trials < needed:
        few = counted(at.fmr.trials, "non-mated pair is", "non-mated pairs are")
        texts["fmr_floor"] = (
            f"{few} too few to show an FMR of {_NAMES} below {setting(required)} %: it takes "
            f"{needed:,} without an error."
        )
    if text := _where_few_decide(system):
        texts["concentrated"] = text
    if system.without_score:
        pairs = counted(system.without_score, "pair that was", "pairs that were")
        texts["without_score"] = (
            f"What {_NAMES} made of {pairs} compared without giving a score: at a threshold they "
            "count as turned away."
        )
    if missing := system.service.answered.errors:
        texts["not_answered"] = (
            f"What {_NAMES} would say of {missing:,} of "
            f"{counted(system.service.calls, 'pair', 'pairs')}: they were not answered, and count "
            "in no rate."
        )
    if system.environment is None:
        texts["unknown_origin"] = f"Where the scores of {_NAMES} come from: the file does not say."
    return texts


def _where_few_decide(system: System) -> str | None:
    few = system.concentration
    if few is None or few.pairs < ENOUGH_PAIRS or few.worst_person < MUCH_OF_ONE:
        return None
    who = "one person" if few.person is None else f"one person, {few.person},"
    what, pairs = "FMR", "false matches"
    if system.at_required and system.at_required.chosen_on == "evaluation":
        what, pairs = "threshold", "non-mated pairs that set it"
        if few.threshold_without is not None:
            pairs += f"; without that person it would be {score(few.threshold_without)}"
    return (
        f"How sure the {what} of {_NAMES} is: {who} is in {100 * few.worst_person:.0f} % of the "
        f"{few.pairs:,} {pairs}. Where a few people decide, bounds hold less often."
    )


def _of_the_study(evaluation: Evaluation) -> dict[str, str]:
    """Return the caveats of the whole comparison, by code."""
    study, texts = evaluation.study, {}
    for_one = trials_for(0.01, confidence=evaluation.confidence)
    if study.evaluation.mated < for_one:
        texts["fnmr_floor"] = (
            f"{counted(study.evaluation.mated, 'mated pair is', 'mated pairs are')} too few to "
            f"show an FRR below 1 %: it takes {for_one:,} without an error."
        )
    if study.evaluation.subjects < FEW_PEOPLE:
        texts["few_people"] = (
            f"{counted(study.evaluation.subjects, 'person was', 'people were')} judged. Other "
            f"people may be easier or harder; with fewer than {FEW_PEOPLE} nobody can say how much."
        )
    if not study.people_known:
        texts["people_unknown"] = (
            "The file does not name everybody: people of two pairs count as different, unless "
            "pictures of mated pairs connect them, and intervals may be too narrow. The columns "
            "probe_subject and reference_subject name the people."
        )
    if not study.groups:
        texts["no_groups"] = "Whether some groups of people fare worse: the data name no groups."
    if len(evaluation.systems) == 1:
        texts["one_system"] = "Whether another vendor is better: only one was asked."
    texts["impostors"] = (
        "How well it resists fraud: nobody in the non-mated pairs tried to look like somebody "
        "else, and nobody held up a photograph."
    )
    return texts


def _frr(system: System) -> Rate:
    return system.at_required.frr if system.at_required else Rate(errors=0, trials=0)
