"""Write the sentences of an evaluation: the verdict and the caveats.

Every sentence is built only from the numbers of the evaluation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import attrs

from facematch_comparison import stats
from facematch_comparison.scores.answers import Parts
from facematch_comparison.values import numbers
from facematch_comparison.values.model import (
    Caveat,
    Difference,
    Evaluation,
    Rate,
    System,
    Traffic,
    Year,
)
from facematch_comparison.values.numbers import counted, in_words, join_names, percent, points
from facematch_core.models import Environment

#: Minimum number of people to show how much people differ.
ENOUGH_PEOPLE_IN_STUDY: Final = 50

#: If a lower share of the scores of one backend is the same, another model gave them.
SHARE_OF_SAME_SCORES: Final = 0.01

#: Scores with a lower AUC hardly tell mated pairs from others: matchers of faces reach 0.9 or more.
HARDLY_APART: Final = 0.75

#: Placeholder for the names of systems in a caveat, so that equal texts can be merged.
_NAMES: Final = "\0"


def with_sentences(
    evaluation: Evaluation,
    non_mated_pairs: int,
    *,
    is_same_number: bool,
    is_default_fmr: bool,
    parts: Mapping[str, Parts],
) -> Evaluation:
    """Return the evaluation with its headline, limit, caveats and sentences on differences.

    `non_mated_pairs` is the number of scored non-mated pairs of the system with the fewest that has
    enough. It determined the required FMR if `is_default_fmr`. `is_same_number` is whether every
    system scored as many. `parts` has those of each system, if run databases of parts were read.
    """
    differences = []
    for difference in evaluation.differences:
        # A difference that was not computed already has the reason.
        if difference.sentence:
            sentence = difference.sentence + _about_scores(evaluation, difference)
        else:
            sentence = _compare_two(evaluation, difference)
        differences.append(attrs.evolve(difference, sentence=sentence))
    systems = tuple(_with_year_in_words(evaluation, system) for system in evaluation.systems)
    evaluation = attrs.evolve(evaluation, differences=tuple(differences), systems=systems)
    missing = " ".join(_what_parts_lack(parts))
    caveats = [Caveat(code="parts", systems=(), text=missing)] if missing else []
    return attrs.evolve(
        evaluation,
        headline=f"{missing} {_headline(evaluation, non_mated_pairs)}".lstrip(),
        limit=" ".join([*_doubts_about_scores(evaluation), *_limits(evaluation)]) or None,
        caveats=(
            *caveats,
            *_caveats(
                evaluation,
                non_mated_pairs if is_default_fmr else None,
                is_same_number=is_same_number,
            ),
        ),
    )


def _what_parts_lack(parts: Mapping[str, Parts]) -> Iterator[str]:
    """Yield a sentence each on missing parts, unfinished parts, and unresolved pairs, if any."""
    missing: set[int] = set()
    unfinished: set[int] = set()
    unresolved = []
    for name, of_system in parts.items():
        missing.update(set(range(1, of_system.of + 1)).difference(of_system.present))
        unfinished.update(of_system.unfinished)
        if of_system.unresolved:
            unresolved.append(f"{of_system.unresolved:,} of {name}")
    for adjective, numbers_of_parts in (("Missing", missing), ("Unfinished", unfinished)):
        if numbers_of_parts:
            yield f"{adjective} parts (of {of_system.of:,}): {_ranges(numbers_of_parts)}."
    if unresolved:
        yield f"Unresolved pairs, which may have been charged: {join_names(unresolved)}."


def _ranges(numbers_of_parts: Collection[int]) -> str:
    """Return numbers as job arrays take them: ``1-3,7``."""
    ranges: list[list[int]] = []
    for number in sorted(numbers_of_parts):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    return ",".join("-".join(map(str, ends)) for ends in ranges)


def _headline(evaluation: Evaluation, non_mated_pairs: int) -> str:
    """Return the verdict: on one system, on two, on several, or why there is none."""
    judged = [system for system in evaluation.systems if system.at_required]
    if not judged:
        return _why_none_judged(evaluation, non_mated_pairs)
    compared = [difference for difference in evaluation.differences if difference.frr]
    why_not_compared = stats.why_not_comparable(evaluation.required_fmr, non_mated_pairs)
    names = [system.name for system in judged]
    sentences = {(two.first, two.second): two.sentence for two in evaluation.differences}
    if len(judged) == 1:
        text = _describe_one(evaluation, judged[0])
    elif not compared and why_not_compared:
        text = f"{join_names(names)} are not compared: {why_not_compared}"
        if len(evaluation.differences) == 1:
            text += _about_scores(evaluation, evaluation.differences[0])
    elif len(judged) == 2:
        text = sentences[names[0], names[1]]
        # A system beyond the required FMR is named first.
        if compared and not any(two.is_real or two.beyond for two in compared):
            text = f"Neither is shown to be better. {text}"
    elif not compared:
        reason = sentences[names[0], names[1]]
        text = f"No two of {join_names(names)} are compared. {reason}"
    else:
        text = _describe_several(evaluation, compared)
    not_judged = [system.name for system in evaluation.systems if system not in judged]
    if not_judged:
        return f"{text} {join_names(not_judged)} cannot be judged at this rate."
    return text


def _why_none_judged(evaluation: Evaluation, non_mated_pairs: int) -> str:
    """Return why no system can be judged at the required FMR, and what the pairs do support.

    The reason is the first system's: it is the same for all, or they return no scores.
    """
    required = evaluation.required_fmr
    reason = evaluation.systems[0].why_not or "it returns no scores."
    text = f"No system can be judged at {in_words(required)}: {reason}"
    strictest = stats.strictest_fmr(non_mated_pairs)
    if strictest and stats.why_unseen(required, non_mated_pairs):
        text += f" These pairs support {in_words(strictest)}."
    if any(system.at_default for system in evaluation.systems):
        text += " The table shows each system's own decisions."
    if len(evaluation.differences) == 1:
        text += _about_scores(evaluation, evaluation.differences[0])
    return text


def _describe_operating_point(evaluation: Evaluation, names: Collection[str]) -> str:
    """Return where these systems are judged: at the required FMR, or at fixed thresholds."""
    required = in_words(evaluation.required_fmr)
    fixed = []
    for system in evaluation.systems:
        point = system.at_required
        is_fixed = point is not None and point.chosen_on == "fixed"
        if point and is_fixed and point.threshold is not None and system.name in names:
            fixed.append(f"{numbers.score(point.threshold)} ({system.name})")
    if not fixed:
        return required
    noun = "threshold" if len(fixed) == 1 else "thresholds"
    thresholds = f"the fixed {noun} {join_names(fixed)}"
    if len(fixed) == len(names):
        return thresholds
    return f"{required}, and {thresholds}"


def _compare_two(evaluation: Evaluation, difference: Difference) -> str:
    """Return the sentence on the difference of two systems."""
    operating_point = _describe_operating_point(evaluation, (difference.first, difference.second))
    warning = _beyond_required(evaluation, difference.beyond)
    return (
        f"{warning}At {operating_point}, {difference.first} rejects {difference.errors_first:,} of "
        f"{_whom(evaluation, difference)} and {difference.second} {difference.errors_second:,}: "
        f"{_verdict(evaluation, difference)}."
    )


def _whom(evaluation: Evaluation, difference: Difference) -> str:
    """Return the genuine people or attempts of both systems, with their number.

    If a system answered others, too, the number differs from that of its own FRR, so say why.
    """
    people = counted(difference.subjects, "genuine person", "genuine people")
    whom = f"{counted(difference.pairs, 'attempt', 'attempts')} by {people}"
    if not evaluation.study.people_known:
        whom = counted(difference.pairs, "genuine attempt", "genuine attempts")
    elif difference.pairs == difference.subjects:
        whom = people
    for system in _systems_of(evaluation, difference):
        if system.at_required and system.at_required.frr.trials > difference.pairs:
            return f"{whom} (the pairs that both answered)"
    return whom


def _verdict(evaluation: Evaluation, difference: Difference) -> str:
    """Return what the difference shows: which system is better, that both are alike, or nothing."""
    systems = _systems_of(evaluation, difference)
    if any(_is_far_beyond(evaluation, system) for system in systems):
        return "no verdict, because an FMR is above ten times the required one"
    if difference.is_real:
        # At a fixed threshold, a lower FRR may just be due to a higher FMR.
        has_fixed = any(
            system.at_required and system.at_required.chosen_on == "fixed" for system in systems
        )
        does_better = "rejects fewer" if has_fixed else "is better"
        among = _among_people(evaluation)
        return f"{difference.better} {does_better}, and the difference is significant{among}"
    if _are_all_scores_same(difference):
        return f"all {difference.both_scored:,} scores are identical"
    if _are_runs_of_another_model(evaluation, difference):
        return (
            "the difference may be due to chance, but hardly any score is the same "
            f"({_same_of_all(difference)}), as after a change of the model"
        )
    if difference.errors_first == difference.errors_second and difference.frr:
        gap = difference.frr.interval
        largest = points(max(-gap.low, gap.high), gap.width)
        return f"no difference was seen, but one of up to {largest} points is possible"
    return "the difference may be due to chance"


def _is_far_beyond(evaluation: Evaluation, system: System) -> bool:
    """Return whether a system lets so many others pass that its FRR says nothing."""
    point = system.at_required
    return point is not None and (point.fmr.value or 0.0) > 10 * evaluation.required_fmr


def _among_people(evaluation: Evaluation) -> str:
    """Return the people of whom a difference is significant; "" if they have no names.

    No rule can see who is missing: the worst people of one system may not be in the test set.
    """
    if not evaluation.study.people_known:
        return ""
    return f" among these {evaluation.study.size.subjects:,} people"


def _are_all_scores_same(difference: Difference) -> bool:
    """Return whether both systems gave each pair the same score, if they scored any."""
    return bool(difference.both_scored) and difference.same_scores == difference.both_scored


def _are_runs_of_another_model(evaluation: Evaluation, difference: Difference) -> bool:
    """Return whether two systems of one backend hardly share a score: their models differ.

    Of two runs of one model, nearly all scores are the same.
    """
    backends = {system.backend for system in _systems_of(evaluation, difference)}
    if len(backends) > 1 or None in backends:
        return False
    if not difference.both_scored or difference.same_scores is None:
        return False
    return difference.same_scores < SHARE_OF_SAME_SCORES * difference.both_scored


def _about_scores(evaluation: Evaluation, difference: Difference) -> str:
    """Return a sentence on the scores of two systems that are not compared, or ""."""
    if _are_all_scores_same(difference):
        return f" All {difference.both_scored:,} scores are identical."
    if _are_runs_of_another_model(evaluation, difference):
        return (
            f" Hardly any score is the same ({_same_of_all(difference)}), as after a change of the "
            "model."
        )
    return ""


def _same_of_all(difference: Difference) -> str:
    return f"{difference.same_scores:,} of {difference.both_scored:,}"


def _systems_of(evaluation: Evaluation, difference: Difference) -> list[System]:
    names = (difference.first, difference.second)
    return [system for system in evaluation.systems if system.name in names]


def _beyond_required(evaluation: Evaluation, names: Collection[str]) -> str:
    """Return a sentence on systems whose FMR is too high for their FRR to be comparable, or ""."""
    if not names:
        return ""
    rate = f"an FMR of {numbers.setting(evaluation.required_fmr)} %"
    if len(names) == 1:
        return f"{join_names(list(names))} exceeds {rate}, so its FRR looks too low. "
    return f"{join_names(sorted(names))} exceed {rate}, so their FRRs look too low. "


def _describe_one(evaluation: Evaluation, system: System) -> str:
    """Return how often a system rejects genuine people, with its interval in percent.

    Without an operating point, a threshold or an interval, say that no data show it.
    """
    point = system.at_required
    operating_point = _describe_operating_point(evaluation, [system.name])
    frr = point and point.shown("frr")
    if not point or point.threshold is None or not frr or frr.interval is None:
        return f"No data show how often {system.name} rejects genuine people at {operating_point}."
    if point.chosen_on != "fixed":
        operating_point += f" (threshold {numbers.score(point.threshold)})"
    ends = frr.interval
    return (
        f"At {operating_point}, {system.name} rejects {frr.errors:,} of {frr.trials:,} genuine "
        f"attempts; the true rate is {percent(ends.low, ends.width)} % to "
        f"{percent(ends.high, ends.width)} %, with "
        f"{100 * evaluation.confidence:g} % confidence."
    )


def _describe_several(evaluation: Evaluation, compared: Sequence[Difference]) -> str:
    """Return a sentence that compares the best unbeaten system with every other one."""
    frr_of: dict[str, Rate] = {
        system.name: system.at_required.frr for system in evaluation.systems if system.at_required
    }
    names_compared = {name for two in compared for name in (two.first, two.second)}
    beaten = _beaten(compared)
    best = min(
        (name for name in frr_of if name in names_compared),
        key=lambda name: (name in beaten, frr_of[name].value or 0.0),
    )
    of_best = [two for two in compared if best in (two.first, two.second)]
    beyond = {name for difference in of_best for name in difference.beyond}
    operating_point = _describe_operating_point(evaluation, frr_of)
    text = (
        f"{_beyond_required(evaluation, beyond)}{_no_winner(best, of_best, compared)}"
        f"At {operating_point}, {best} rejects "
        f"{frr_of[best].errors:,} of {frr_of[best].trials:,} genuine attempts"
        f"{_compare_best(evaluation, best, of_best)}."
    )
    not_compared = [name for name in frr_of if name not in names_compared]
    if not_compared:
        are = "is" if len(not_compared) == 1 else "are"
        text += f" {join_names(not_compared)} {are} not compared."
    return text


def _no_winner(best: str, of_best: Sequence[Difference], compared: Sequence[Difference]) -> str:
    """Return a sentence that the system with the lowest FRR beats no other one; "" if it does."""
    if any(difference.better == best for difference in of_best):
        return ""
    if not _beaten(compared):
        return "No system is shown to be better. "
    # The others may still differ: the one with the lowest rate may have been asked about few pairs.
    return f"{best} is not shown to be better than another one{_who_differs(compared)}. "


def _who_differs(compared: Sequence[Difference]) -> str:
    """Return the end of a sentence that names the pairs of systems that do differ."""
    worse_by_better: dict[str, list[str]] = {}
    for difference in compared:
        if difference.better is not None and difference.worse is not None:
            worse_by_better.setdefault(difference.better, []).append(difference.worse)
    pairs = [f"{better} than {join_names(worse)}" for better, worse in worse_by_better.items()]
    return f"; shown to be better are {join_names(pairs)}"


def _beaten(differences: Sequence[Difference]) -> set[str]:
    """Return the systems that are significantly worse than another one."""
    return {difference.worse for difference in differences if difference.worse is not None}


def _compare_best(evaluation: Evaluation, best: str, differences: Sequence[Difference]) -> str:
    """Return the end of a sentence on the best system; its differences from others are given."""
    worse = []
    alike = []
    largest_gap = 0.0
    for difference in differences:
        worse_system = difference.second if best == difference.first else difference.first
        if difference.better == best:
            worse.append(worse_system)
        elif difference.frr:
            alike.append(worse_system)
            gap = difference.frr.interval
            largest_gap = max(largest_gap, -gap.low, gap.high)
    findings = []
    if worse:
        findings.append(f"significantly fewer than {join_names(worse)}{_among_people(evaluation)}")
    if alike:
        at_most = f"at most {points(largest_gap, largest_gap)} points"
        findings.append(f"no significant difference from {join_names(alike)} ({at_most})")
    return f": {'; '.join(findings)}" if findings else ""


def _with_year_in_words(evaluation: Evaluation, system: System) -> System:
    if system.year is None or evaluation.traffic is None:
        return system
    sentence = _describe_year(system, system.year, evaluation.traffic)
    return attrs.evolve(system, year=attrs.evolve(system.year, sentence=sentence))


def _describe_year(system: System, year: Year, traffic: Traffic) -> str:
    """Return the expected errors of a year, and what they and the calls cost, if it is known."""
    false_matches = numbers.estimate(year.false_matches, " false matches")
    false_rejects = numbers.estimate(year.false_rejects, " false rejects")
    text = (
        f"In a year of {counted(traffic.calls_per_year, 'call', 'calls')}, "
        f"{numbers.setting(traffic.impostors)} % of them by impostors, {system.name} is expected "
        f"to make {false_matches} and {false_rejects}."
    )
    currency = system.service.currency
    if year.cost_of_errors is not None and traffic.costs is not None:
        errors_cost = numbers.estimate(year.cost_of_errors, f" {traffic.costs.currency}")
        text += f" These errors cost {errors_cost}."
    if year.cost is not None:
        text += (
            f" With the price of the calls, that is {numbers.estimate(year.cost, f' {currency}')}."
        )
    elif year.cost_of_calls is not None:
        text += f" The calls cost {numbers.quantity(year.cost_of_calls)} {currency}."
    return text


def _doubts_about_scores(evaluation: Evaluation) -> Iterator[str]:
    """Yield a sentence on each system whose scores hardly tell mated pairs from others."""
    for system in evaluation.systems:
        separation = system.separation
        if system.at_required and separation and separation.at_most < HARDLY_APART:
            yield (
                f"The scores of {system.name} hardly tell mated pairs from others: in only "
                f"{100 * separation.auc:.0f} % of cases, a mated pair scores higher than another. "
                "Check the columns of scores and labels: the confidence of a prediction is no "
                "score, because it is high for strangers, too."
            )


def _limits(evaluation: Evaluation) -> Iterator[str]:
    """Yield the highest upper bound of an FMR in one sentence, if it is above the required FMR."""
    highest = None
    highest_bound = evaluation.required_fmr
    for system in evaluation.systems:
        if system.point and system.point.fmr.interval:
            bound = system.point.fmr.interval.high
            if bound > highest_bound:
                highest = system
                highest_bound = bound
    if highest is None or highest.point is None:
        return
    of_system = f" of {highest.name}" if len(evaluation.systems) > 1 else ""
    warning = f"the true FMR may be as high as {numbers.one_in_at_least(highest_bound)}."
    errors = highest.point.fmr.errors
    if errors and highest.point.chosen_on == "evaluation":
        matches = counted(errors, "false match", "false matches")
        yield f"The threshold{of_system} rests on only {matches}; {warning}"
        return
    matches = counted(errors, "false match was seen at", "false matches were seen at")
    yield f"{matches} the threshold{of_system}; {warning}"


def _caveats(
    evaluation: Evaluation, non_mated_pairs: int | None, *, is_same_number: bool
) -> Iterator[Caveat]:
    """Yield the caveats of single systems, with equal texts merged, then of the whole comparison.

    `non_mated_pairs` is the number of non-mated pairs that determined the required FMR; None if the
    caller passed a required FMR. `is_same_number` is whether all systems scored equally many
    non-mated pairs.
    """
    names_by_caveat: dict[Caveat, list[str]] = {}
    for system in evaluation.systems:
        for caveat in _caveats_of_system(evaluation, system):
            names_by_caveat.setdefault(caveat, []).append(system.name)
    for caveat, names in names_by_caveat.items():
        text = caveat.text.replace(_NAMES, join_names(names))
        yield attrs.evolve(caveat, systems=tuple(names), text=text)
    yield from _caveats_of_study(evaluation, non_mated_pairs, is_same_number=is_same_number)


def _caveat(code: str, text: str) -> Caveat:
    return Caveat(code=code, systems=(), text=text)


def _caveats_of_system(evaluation: Evaluation, system: System) -> Iterator[Caveat]:
    """Yield the code and text of each caveat of a system; `_NAMES` stands for its name."""
    is_scored = system.kind == "scores"
    point = system.at_required if is_scored else system.at_default
    required = f"{numbers.setting(evaluation.required_fmr)} %"
    if system.environment in (Environment.MOCK, Environment.SANDBOX):
        yield _caveat(
            "not_the_vendor",
            f"The numbers of {_NAMES} prove nothing about the vendor's matcher: a "
            f"{system.environment} answered.",
        )
    if not is_scored:
        why_not = system.why_not or "Too few of the pairs that choose thresholds have a score."
        yield _caveat(
            "decisions_only",
            f"The rates of {_NAMES} at other thresholds are unknown. {why_not}",
        )
    if is_scored and point is None:
        yield _caveat(
            "no_threshold",
            f"The rates of {_NAMES} at an FMR of {required} are unknown. {system.why_not}",
        )
    needed = stats.trials_for(evaluation.required_fmr, confidence=evaluation.confidence)
    if point and point.fmr.trials < needed:
        pairs = counted(point.fmr.trials, "non-mated pair is", "non-mated pairs are")
        yield _caveat(
            "fmr_floor",
            f"{pairs} too few to show an FMR of {_NAMES} below {required}; {needed:,} without "
            "errors are needed.",
        )
    concentrated = _where_few_decide(system)
    if concentrated is not None:
        yield _caveat("concentrated", concentrated)
    if system.without_score:
        pairs = counted(system.without_score, "pair", "pairs")
        yield _caveat(
            "without_score",
            f"{_NAMES} returned no score for {pairs} that it compared. At a threshold they count "
            "as rejected.",
        )
    unanswered = system.service.answered.errors
    if unanswered:
        pairs = counted(system.service.calls, "pair", "pairs")
        yield _caveat(
            "not_answered",
            f"{unanswered:,} of {pairs} have no answer from {_NAMES}. Unanswered pairs count in no "
            "rate.",
        )
    if system.environment is None:
        yield _caveat(
            "unknown_origin",
            f"No column says whether a vendor, a sandbox or a mock gave the scores of {_NAMES}.",
        )


def _where_few_decide(system: System) -> str | None:
    """Return a caveat if few people decide on the threshold or on its FMR; or None."""
    few = system.concentration
    # Bounds are doubtful if one person is in a quarter of at least eight pairs.
    if few is None or few.pairs < 8 or few.worst_person < 0.25:
        return None
    person = "one person" if few.person is None else f"one person, {few.person},"
    share = f"{100 * few.worst_person:.0f} %"
    warning = "Bounds are less reliable if few people decide."
    if system.at_required is None or system.at_required.chosen_on != "evaluation":
        return (
            f"The FMR of {_NAMES} depends on few people: {person} is in {share} of the "
            f"{few.pairs:,} false matches. {warning}"
        )
    return (
        f"The threshold of {_NAMES} depends on few people: {person} is in {share} of the "
        f"{few.pairs:,} non-mated pairs that set it. {warning}"
    )


def _caveats_of_study(
    evaluation: Evaluation, non_mated_pairs: int | None, *, is_same_number: bool
) -> Iterator[Caveat]:
    """Yield the code and text of each caveat of the whole comparison; see `_caveats`."""
    study = evaluation.study
    strictest = stats.strictest_fmr(non_mated_pairs) if non_mated_pairs else None
    if strictest:
        fewest = "" if is_same_number else ", the fewest that a system scored,"
        yield _caveat(
            "strictest_rate",
            f"{non_mated_pairs:,} non-mated pairs{fewest} support no stricter rate than "
            f"{in_words(strictest)}. Reports with the same required FMR are comparable.",
        )
    needed = stats.trials_for(0.01, confidence=evaluation.confidence)
    if study.size.mated < needed:
        pairs = counted(study.size.mated, "mated pair is", "mated pairs are")
        yield _caveat(
            "fnmr_floor",
            f"{pairs} too few to show an FRR below 1 %; {needed:,} without errors are needed.",
        )
    if study.people_known and study.size.subjects < ENOUGH_PEOPLE_IN_STUDY:
        people = counted(study.size.subjects, "person was", "people were")
        yield _caveat(
            "few_people",
            f"Only {people} tested. Other people may be easier or harder to recognise; "
            f"{ENOUGH_PEOPLE_IN_STUDY} are needed to show how much.",
        )
    if not study.people_known:
        yield _caveat(
            "people_unknown",
            "The file does not name all people. People of two pairs count as different unless "
            "mated pairs connect their pictures, so intervals may be too narrow and differences "
            "called significant by mistake. If columns name people, pass them as probe_subject and "
            "reference_subject.",
        )
    if not study.groups:
        yield _caveat(
            "no_groups",
            "The data name no groups, so differences between groups are unknown.",
        )
    crossed = {cell.column for system in evaluation.systems for cell in system.cross_groups}
    not_crossed = [name for name in study.groups if name not in crossed]
    if not_crossed:
        advice = ""
        if all(map(str.isdigit, study.groups[not_crossed[0]])):
            advice = f" Put numbers into bands: --bands {not_crossed[0]}=18,30,45,60."
        yield _caveat(
            "cross_groups",
            f"Too few pairs are of two groups of {join_names(not_crossed)} to show false matches "
            "between groups. Such pairs need the group of each side in a column of its own: "
            f"probe_group_{not_crossed[0]} and reference_group_{not_crossed[0]}.{advice}",
        )
    if any(system.year for system in evaluation.systems):
        yield _caveat(
            "year",
            "The errors of a year are expected as if impostors were strangers like those of the "
            "non-mated pairs, and genuine people and pictures like those of the mated pairs. "
            "Impostors who look like their victims pass more often.",
        )
    if len(evaluation.systems) == 1:
        yield _caveat("one_system", "Only one system was tested: another one may be better.")
    yield _caveat(
        "impostors",
        "Resistance to fraud was not tested: nobody in the non-mated pairs tried to look like "
        "somebody else, and nobody held up a photograph.",
    )
