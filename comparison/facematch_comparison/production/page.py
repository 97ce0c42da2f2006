"""Render what a call log says as a self-contained HTML page, in the style of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

from markupsafe import Markup

from facematch_comparison.report.bars import Bar, draw_bars
from facematch_comparison.report.page import render
from facematch_comparison.report.plain import plain
from facematch_comparison.values import numbers
from facematch_comparison.values.numbers import amount, estimate

from .drift import Drift
from .drift_sentences import period_rows
from .judged import PER
from .sentences import NAMES, charges_per_call, listed, money_with_interval, share
from .shadow import REFUSED, ShadowComparison, SideSummary

#: The cells of a table's row, by column title.
TextRow: TypeAlias = dict[str, str]

_TEMPLATES: Final = Path(__file__).parent / "templates"


def shadow_html(comparison: ShadowComparison) -> str:
    """Return a shadow comparison as one HTML page. Same input, same page."""
    return render(
        "shadow.html",
        _TEMPLATES,
        comparison=comparison,
        per=f"{PER:,}",
        confidence=f"{100 * comparison.confidence:g} %",
        net_errors_figure=_draw_net_errors(comparison),
        errors=error_rows(comparison),
        money=_money_rows(comparison),
        decisions=_decision_rows(comparison),
        sides=[side_cells(summary) for summary in (comparison.answered, comparison.candidate)],
        agreement=share(comparison.agreement),
        made_at=f"{comparison.made_at:%Y-%m-%d %H:%M} UTC",
    )


def drift_html(drift: Drift) -> str:
    """Return a drift as one HTML page. Same input, same page."""
    return render(
        "drift.html",
        _TEMPLATES,
        drift=drift,
        confidence=f"{100 * drift.confidence:g} %",
        made_at=f"{drift.made_at:%Y-%m-%d %H:%M} UTC",
        periods=period_rows(drift),
        figures=_figures_of(drift),
    )


def _figures_of(drift: Drift) -> list[Markup]:
    """Return a figure of the accepted shares by period, if a period has one."""
    accepted = []
    for period in drift.periods:
        share_accepted = period.accepted
        if share_accepted.value is not None and share_accepted.interval is not None:
            interval = share_accepted.interval.times(100)
            accepted.append(
                Bar(name=period.name, value=100 * share_accepted.value, interval=interval)
            )
    return [draw_bars(accepted, axis="accepted, in % of the results")] if accepted else []


def _draw_net_errors(comparison: ShadowComparison) -> Markup | None:
    """Draw the errors that the candidate saves; None without labels."""
    bars = []
    for net in comparison.net:
        name = NAMES[net.kind]
        bars.append(Bar(name=name, value=net.saved.value, interval=net.saved.interval))
    if not bars:
        return None
    return draw_bars(
        bars,
        axis=f"errors per {PER:,} calls that {plain(comparison.candidate.name)} would save",
        zero="no difference",
    )


def error_rows(comparison: ShadowComparison) -> list[TextRow]:
    """Return a row for each kind of net errors, the sum of both kinds first; none without labels.

    Cells are texts, by the title of their column.
    """
    rows = []
    for net in comparison.net:
        rows.append(
            {
                "Errors": NAMES[net.kind],
                f"Only {comparison.answered.name}": f"{net.only_answered:,}",
                f"Only {comparison.candidate.name}": f"{net.only_candidate:,}",
                f"Saved per {PER:,} calls": estimate(net.saved),
                "p": f"{net.p_adjusted:.2g}",
                "Significant": "yes" if net.is_real else "no",
            }
        )
    return rows


def _money_rows(comparison: ShadowComparison) -> list[TextRow]:
    """Return what the candidate saves per 1,000 calls, as one row; none without labels or costs."""
    money = comparison.money
    if money is None:
        return []
    prices = "" if money.saved_prices is None else amount(money.saved_prices)
    return [
        {
            "Currency": money.currency,
            "A false match costs": numbers.money(money.cost_false_match),
            "A false reject costs": numbers.money(money.cost_false_reject),
            "Saved in errors": amount(money.saved_errors.value),
            "Saved in prices": prices,
            f"Saved per {PER:,} calls": money_with_interval(money.saved),
        }
    ]


def _decision_rows(comparison: ShadowComparison) -> list[TextRow]:
    """Return a row for each decision of the answering system: its calls by the candidate's.

    Counts are texts, and zeros are shown. If the candidate refused no pictures, no row has the
    column of refusals.
    """
    rows = []
    for answered_decision, counts in comparison.decisions.items():
        row = {comparison.answered.name: answered_decision.replace("_", " ")}
        for candidate_decision, count in counts.items():
            if candidate_decision == REFUSED and not comparison.refused:
                continue
            candidate_words = candidate_decision.replace("_", " ")
            row[f"{comparison.candidate.name}: {candidate_words}"] = f"{count:,}"
        rows.append(row)
    return rows


def side_cells(summary: SideSummary) -> TextRow:
    """Return what one side did, by title; a title without a value has ""."""
    seconds = {
        percentile: f"{numbers.quantity(value)} s"
        for percentile, value in summary.elapsed_s.items()
    }
    return {
        "System": summary.name,
        "Calls": f"{summary.calls:,}",
        "Results": f"{summary.answered:,}",
        "Errors": listed(summary.errors),
        "Not asked": listed(summary.not_asked),
        "Charged": listed(summary.charged),
        "Charges per call": charges_per_call(summary),
        "Price of a call": "" if summary.price is None else numbers.money(summary.price),
        "Cost": "" if summary.cost is None else amount(summary.cost),
        "Half within": seconds.get("50", ""),
        "95 of 100 within": seconds.get("95", ""),
        "99 of 100 within": seconds.get("99", ""),
        "Thresholds": listed(summary.thresholds),
        "Models": listed(summary.models),
    }
