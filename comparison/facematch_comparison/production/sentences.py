"""The sentences of a shadow comparison: the verdict, and what the log cannot show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from facematch_comparison.values import numbers
from facematch_comparison.values.model import Estimate, ReviewersAgree, Share
from facematch_comparison.values.numbers import amount, counted, estimate
from facematch_core.call_log import NotAsked
from facematch_core.models import Charged

from .judged import PER, NetErrors
from .labels.sensitivity import SHOWN_SHARE, WrongLabels
from .shadow import Reviewed, ShadowComparison, SideSummary

#: What errors of each kind are called.
NAMES: Final = {
    "false_match": "false matches",
    "false_reject": "false rejects",
    "error": "errors",
}


def with_sentences(comparison: ShadowComparison) -> ShadowComparison:
    """Return the comparison with its headline, findings and caveats."""
    return attrs.evolve(
        comparison,
        headline=_headline(comparison),
        findings=tuple(_findings(comparison)),
        caveats=tuple(_caveats(comparison)),
    )


def practice_caveat(count: int) -> str:
    """Return the caveat that so many answers came from a mock or a sandbox."""
    answers = counted(count, "answer", "answers")
    return f"{answers} came from a mock or a sandbox, which proves nothing about a vendor."


def _headline(comparison: ShadowComparison) -> str:
    """Return the verdict and what it rests on.

    Before there are labels, return how far the systems agree, and what to label.
    """
    if not comparison.net:
        return f"{_agreement(comparison)} {_what_to_label(comparison)}"
    sentences = [_verdict(comparison), _in_detail(comparison)]
    if comparison.money is not None:
        sentences.append(_money(comparison))
    sentences.append(_about_wrong_labels(comparison))
    more_calls = _about_more_calls(comparison)
    if more_calls:
        sentences.append(more_calls)
    return " ".join(sentences)


def _agreement(comparison: ShadowComparison) -> str:
    answered_name = comparison.answered.name
    candidate_name = comparison.candidate.name
    return (
        f"{answered_name} and {candidate_name} agree in {share(comparison.agreement)} of "
        f"{counted(comparison.compared, 'call', 'calls')} of "
        f"{counted(comparison.people, 'person', 'people')}."
    )


def _what_to_label(comparison: ShadowComparison) -> str:
    different = comparison.only_answered_accepts + comparison.only_candidate_accepts
    if not different:
        return "They never disagreed, so nothing shows that one makes fewer errors."
    return (
        f"They disagree about {counted(different, 'call', 'calls')}: who is right is unknown until "
        "these are labelled (--review)."
    )


def _verdict(comparison: ShadowComparison) -> str:
    """Return who is better, or that nothing is shown. Called only if there are net differences."""
    answered_name = comparison.answered.name
    candidate_name = comparison.candidate.name
    if comparison.money is not None:
        if not comparison.money.is_real:
            doubt = _doubt(comparison.money.wrong_labels)
            return (
                f"No difference in cost is shown: {candidate_name} may cost less or more than "
                f"{answered_name}{doubt}."
            )
        saves = comparison.money.saved.value > 0
        winner = candidate_name if saves else answered_name
        errors = comparison.money.saved_errors
        if not saves:
            errors = errors.opposite
        if comparison.money.saved_prices is None or errors.interval.low > 0:
            return f"{winner} costs less, and the difference is significant."
        of_errors = money_with_interval(errors, f" {comparison.money.currency}")
        return (
            f"{winner} costs less by its price, and the difference is significant. Its errors "
            f"alone are not shown to cost less: they save {of_errors} per {PER:,} calls."
        )
    significant = [net for net in comparison.net if net.is_real and net.kind != "error"]
    any_error = comparison.net_of("error")
    if not significant and any_error is not None and any_error.is_real:
        winner = candidate_name if any_error.saved.value > 0 else answered_name
        return (
            f"{winner} makes fewer errors in all, and the difference is significant. Of one kind "
            "alone, no difference is shown."
        )
    if not significant:
        doubt = "" if any_error is None else _doubt(any_error.wrong_labels)
        return (
            f"No difference is shown: {candidate_name} may make fewer or more errors than "
            f"{answered_name}{doubt}."
        )
    winners = {candidate_name if net.saved.value > 0 else answered_name for net in significant}
    if len(winners) > 1:
        return (
            f"{answered_name} and {candidate_name} each make significantly fewer errors of one "
            "kind: decide by what an error costs (--cost-false-match, --cost-false-reject)."
        )
    error_names = " and ".join(NAMES[net.kind] for net in significant)
    return f"{winners.pop()} makes fewer {error_names}, and the difference is significant."


def _in_detail(comparison: ShadowComparison) -> str:
    parts = []
    for error_kind in ("false_reject", "false_match"):
        net = comparison.net_of(error_kind)
        if net is not None:
            parts.append(saved_in_words(net))
    return f"Per {PER:,} calls {comparison.candidate.name} makes {' and '.join(parts)}."


def _doubt(wrong_labels: WrongLabels) -> str:
    """Return the end of a sentence without a verdict: that few wrong labels turn the sign."""
    if wrong_labels.turns_at is None or not wrong_labels.is_turned:
        return ""
    return f", and {wrong_share(wrong_labels.turns_at)} would turn the sign"


def wrong_share(share: float) -> str:
    """Format a share of wrong labels: ``1 wrong label in 24 (4.2 %)``."""
    return f"1 wrong label in {max(2, round(1 / share)):,} ({numbers.percent(share)} %)"


def _about_wrong_labels(comparison: ShadowComparison) -> str:
    """Return what the result would be if 1 label in 20 were wrong, and when its sign turns."""
    condition = f"If 1 label in {round(1 / SHOWN_SHARE)} is wrong, "
    money = comparison.money
    if money is not None:
        saved = money.wrong_labels.saved
        effect = f"it saves {amount(saved)} {money.currency}"
        if saved < 0:
            effect = f"it costs {amount(-saved)} {money.currency} more"
        return f"{condition}{effect}; {_when_turned(money.wrong_labels)}."
    parts = []
    turns = []
    for error_kind in ("false_reject", "false_match"):
        net = comparison.net_of(error_kind)
        if net is not None and (net.only_answered or net.only_candidate):
            saved = net.wrong_labels.saved
            direction = "fewer" if saved >= 0 else "more"
            parts.append(f"{numbers.quantity(abs(saved))} {direction} {NAMES[error_kind]}")
            if net.wrong_labels.turns_at is not None:
                turns.append(
                    f"the sign of {NAMES[error_kind]} turns at "
                    f"{wrong_share(net.wrong_labels.turns_at)}"
                )
    ends = "; ".join(turns) or "no share below a half turns a sign"
    return f"{condition}these are {' and '.join(parts)}; {ends}."


def _when_turned(wrong_labels: WrongLabels) -> str:
    if wrong_labels.turns_at is None:
        return "no share below a half turns the sign"
    return f"the sign turns at {wrong_share(wrong_labels.turns_at)}"


def _about_more_calls(comparison: ShadowComparison) -> str:
    """Return how many further calls would show a difference of this size, or ""."""
    if comparison.money is not None:
        more_calls = comparison.money.more_calls
        is_turned = comparison.money.wrong_labels.is_turned
        what = "this difference in cost"
    else:
        any_error = comparison.net_of("error")
        if any_error is None or any(net.is_real for net in comparison.net):
            return ""
        more_calls = any_error.more_calls
        is_turned = any_error.wrong_labels.is_turned
        what = "this difference"
    if more_calls is None:
        return ""
    different = comparison.only_answered_accepts + comparison.only_candidate_accepts
    labels = round(more_calls * different / comparison.compared)
    text = (
        f"About {_in_two_digits(more_calls)} further calls, {_in_two_digits(labels)} of them to "
        f"label, would show {what} in 4 of 5 logs if it is real"
    )
    return f"{text}; not if labels are wrong." if is_turned else f"{text}."


def _in_two_digits(number: int) -> str:
    """Format a rough number: 12,345 as 12,000."""
    places = max(0, len(str(number)) - 2)
    return f"{round(number, -places):,}"


def saved_in_words(net: NetErrors) -> str:
    """Return net errors as ``2.1 fewer false rejects (1.0 to 3.2)``."""
    if net.saved.value >= 0:
        return estimate(net.saved, f" fewer {NAMES[net.kind]}")
    return estimate(net.saved.opposite, f" more {NAMES[net.kind]}")


def _money(comparison: ShadowComparison) -> str:
    """Return what the change saves or costs, with its interval, per `PER` calls.

    The comparison must have costs. A negative saving is worded as a cost, with its interval turned.
    """
    money = comparison.money
    assert money is not None  # noqa: S101 - called only with costs
    shown = money.saved
    effect = f"saves {amount(shown.value)} {money.currency}"
    if shown.value < 0:
        shown = shown.opposite
        effect = f"costs {amount(shown.value)} {money.currency} more"
    ends = shown.interval
    basis = "in errors"
    if money.saved_prices is not None:
        basis = "with the prices of the calls"
    span = f"{amount(ends.low)} to {amount(ends.high)}"
    return f"That {effect} ({span}) per {PER:,} calls, {basis}."


def share(counted_share: Share) -> str:
    """Format a share with its interval: ``96.2 % (95.5 % to 96.9 %)``."""
    value = counted_share.value
    ends = counted_share.interval
    if value is None or ends is None:
        return "none"
    width = ends.width
    percent = numbers.percent(value, width)
    # 1 of 40 is 2.5 %, however wide the interval is.
    in_two_digits = numbers.percent(value)
    if len(in_two_digits) > len(percent) and float(in_two_digits) != float(percent):
        percent = in_two_digits
    return f"{percent} % ({_percent(ends.low, width)} to {_percent(ends.high, width)})"


def _percent(value: float, width: float) -> str:
    return f"{numbers.percent(value, width)} %"


def money_with_interval(saved: Estimate, unit: str = "") -> str:
    """Format an amount with its interval: ``12.00 (3.00 to 21.00)``, with a unit after it."""
    return estimate(saved, unit, lambda value, _width: amount(value))


def charges_per_call(summary: SideSummary) -> str:
    """Format the charges of a charged call, such as ``3``; "" if each was charged once."""
    if summary.charges_per_call in (None, 1.0):
        return ""
    return f"{summary.charges_per_call:.3g}"


def listed(counts: Mapping[str, int]) -> str:
    """Format counts by name: ``RateLimited (12), OutcomeUnknown (3)``."""
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())


def _findings(comparison: ShadowComparison) -> Iterator[str]:
    """Yield how far every two reviewers agree."""
    if comparison.reviewed is not None:
        for reviewers in comparison.reviewed.reviewers:
            yield _describe_reviewers(reviewers)


def _caveats(comparison: ShadowComparison) -> Iterator[str]:
    if comparison.practice_answers:
        yield practice_caveat(comparison.practice_answers)
    yield _what_both_miss(comparison)
    yield from _about_prices(comparison)
    yield from _about_calls(comparison)
    yield from _about_changes(comparison)
    if comparison.reviewed is not None:
        yield from _about_labels(comparison.reviewed)


def _what_both_miss(comparison: ShadowComparison) -> str:
    """Return how often both were wrong where they agree, or that this is unknown."""
    both_wrong = None if comparison.reviewed is None else comparison.reviewed.both_wrong
    if both_wrong is None:
        return (
            "Where both agree, both may be wrong. So neither system's error rates can be known "
            "from these calls, only their difference. To see how often both are wrong, label "
            "agreements, too (--agreements N, with a new --review file)."
        )
    return (
        f"Both were wrong in {both_wrong.count:,} of {both_wrong.of:,} labelled agreements: "
        f"{share(both_wrong)} of all agreements. These errors do not change the difference."
    )


def _about_prices(comparison: ShadowComparison) -> Iterator[str]:
    """Yield which price must be that of several charges, and which charges are unknown."""
    for summary in (comparison.answered, comparison.candidate):
        charges = charges_per_call(summary)
        if summary.price is not None and charges:
            yield (
                f"A charged call of {summary.name} had {charges} charges on average. Its price, "
                f"{numbers.money(summary.price)}, must be that of the whole call: if your price "
                "list names the price of one charge, multiply it."
            )
        unknown_calls = summary.charged.get(Charged.UNKNOWN.value, 0)
        if summary.cost is not None and summary.price is not None and unknown_calls:
            highest_cost = summary.cost + unknown_calls * summary.price
            yield (
                f"It is not known whether {unknown_calls:,} calls of {summary.name} were charged. "
                f"Its cost, {amount(summary.cost)}, does not include them: it is at most "
                f"{amount(highest_cost)}."
            )


def _about_calls(comparison: ShadowComparison) -> Iterator[str]:
    """Yield what is unknown because calls were not compared, not shadowed, or have no person."""
    answered = comparison.answered
    candidate = comparison.candidate
    if comparison.refused:
        yield (
            f"{candidate.name} refused the pictures of {comparison.refused:,} compared calls. They "
            "count as not accepted."
        )
    missing = comparison.drawn - comparison.compared
    if missing:
        yield (
            f"{missing:,} of {comparison.drawn:,} drawn calls are not compared, because "
            f"{candidate.name} gave no result. If they are harder or easier than others, the "
            "result is about the compared calls only."
        )
    refused_count = candidate.not_asked.get(NotAsked.NOT_ALLOWED.value, 0)
    if refused_count:
        yield (
            f"{refused_count:,} drawn calls were not permitted by asks_if: nothing is known about "
            "such people."
        )
    if answered.errors:
        yield (
            f"Calls that {answered.name} did not answer were not shadowed, so nothing shows what "
            f"{candidate.name} would have said: {listed(answered.errors)}."
        )
    if comparison.without_person:
        yield (
            f"{comparison.without_person:,} compared calls have no caller_ref or share_key and "
            "count as calls of different people. If they are not, intervals are too narrow."
        )


def _about_changes(comparison: ShadowComparison) -> Iterator[str]:
    """Yield which thresholds and models changed, so that two systems are judged as one."""
    for summary in (comparison.answered, comparison.candidate):
        if len(summary.thresholds) > 1:
            thresholds = listed(summary.thresholds)
            advice = "See --since."
            if summary is comparison.candidate:
                advice = (
                    "Labels stay valid: the part on its threshold judges every call at one. The "
                    "numbers above are about the decisions as they were."
                )
            yield f"The threshold of {summary.name} changed: {thresholds}. {advice}"
        if len(summary.models) > 1:
            yield f"The model of {summary.name} changed: {listed(summary.models)}. See --since."


def _about_labels(reviewed: Reviewed) -> Iterator[str]:
    """Yield what the labels leave out, and last what it means that people gave them.

    A sentence appears only if its count is not zero.
    """
    if not reviewed.is_complete:
        yield (
            f"{reviewed.labelled:,} of {reviewed.disagreements:,} disagreements are labelled. They "
            "count as a random sample of all."
        )
    if reviewed.unclear:
        yield (
            f"{reviewed.unclear:,} disagreements could not be labelled: the others stand for them."
        )
    if reviewed.later:
        yield (
            f"{reviewed.later:,} compared calls do not count: they are later than the review, or "
            "disagreements that it does not list."
        )
    if reviewed.gone:
        yield (
            f"{reviewed.gone:,} calls of the review are not among the compared calls (no longer in "
            "the log, or outside --since and --until)."
        )
    if reviewed.contradicted:
        yield (
            f"{reviewed.contradicted:,} disagreements are left out, because the reviewers "
            "contradict each other: the others stand for them. Another --review file, which does "
            "not exist yet, is written with these calls for a third person."
        )
    if reviewed.labelled_once:
        yield (
            f"{reviewed.labelled_once:,} disagreements are left out, because one of several "
            "reviewers has labelled them."
        )
    if len(reviewed.files) == 1:
        yield (
            "One person's labels are taken as the truth. A second person's file (a second "
            "--review) shows how often they err. Nobody who labels should know which system "
            "accepted a call."
        )
    else:
        yield (
            "Labels on which the reviewers agree are taken as the truth. People err together where "
            "a pair is hard. Nobody who labels should know which system accepted a call."
        )


def _describe_reviewers(reviewers: ReviewersAgree) -> str:
    """Return how far two reviewers agree about the calls that both labelled."""
    agreement = reviewers.agreement
    text = (
        f"{reviewers.first} and {reviewers.second} agree about {agreement.count:,} of "
        f"{agreement.of:,} calls that both labelled"
    )
    if reviewers.kappa is not None:
        text += f": kappa is {estimate(reviewers.kappa)}"
    if reviewers.wrong_share:
        text += f", as if each had {wrong_share(reviewers.wrong_share)}"
    if agreement.count == agreement.of:
        text += ". If one file is a copy of the other, pass it once"
    return f"{text}."
