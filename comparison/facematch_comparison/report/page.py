"""Render an evaluation as a self-contained HTML page: the verdict first, then its evidence.

The page shows only data of an `Evaluation`. Its sentences are in ``templates``. Sections
without data are omitted.

A `data` element shows its value, or 100 times its value in percent, rounded to the digits shown. A
missing value is an empty string.

A table is a list of rows; a row maps column titles to cells, and its first cell is its name. Rows
without any other cell are omitted. The captions are in ``templates``.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from facematch_comparison.values import numbers
from facematch_comparison.values.model import (
    Difference,
    Estimate,
    Evaluation,
    GroupDifference,
    Interval,
    OperatingPoint,
    PointAt,
    Rate,
    SampleSize,
    Service,
    System,
)
from facematch_core.base.files import write_file

from . import plots
from .plain import plain
from .plots import style_of

_TEMPLATES: Final = Path(__file__).parent / "templates"

#: Mark for a missing value.
NOTHING = Markup('<span class="none">&ndash;</span>')


#: Formats a number, given the width of its interval.
Form = Callable[[float | None, float | None], Markup]


def text(words: str | None) -> Markup:
    """Return a text as HTML, with no-break spaces before percent signs."""
    if not words:
        return Markup()
    return name(re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", words))


def name(words: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(plain(words))


def number(value: float | None, form: Callable[[Any], str], unit: Markup | str = "") -> Markup:
    """Return a number as HTML, formatted by `form`."""
    if value is None:
        return Markup()
    shown_value = Markup('<data value="{}">{}</data>').format(json.dumps(value), form(value))
    return Markup("{}&nbsp;{}").format(shown_value, unit) if unit else shown_value


#: Formats of counts, of chosen rates in percent (all digits), of scores, and of p-values.
count = functools.partial(number, form="{:,}".format)
setting = functools.partial(number, form=numbers.setting, unit="%")
score = functools.partial(number, form=numbers.score)
probability = functools.partial(number, form="{:.2g}".format)


def percent(rate: float | None, width: float | None = None, unit: str = "%") -> Markup:
    return number(rate, lambda rate: numbers.percent(rate, width), unit)


def points(gap: float | None, width: float | None = None) -> Markup:
    return number(gap, lambda gap: numbers.points(gap, width))


def quantity(value: float | None, width: float | None = None, unit: str = "") -> Markup:
    return number(value, lambda value: numbers.quantity(value, width), unit)


def money(value: float | None, currency: str | None) -> Markup:
    return number(value, numbers.money, text(currency))


def width_of(interval: Interval | None) -> float | None:
    return interval.width if interval else None


def ends(interval: Interval | None, form: Form, unit: str = "") -> Markup:
    if not interval:
        return Markup()
    width = width_of(interval)
    low = form(interval.low, width)
    high = form(interval.high, width)
    return Markup('<span class="interval">{} to {}{}</span>').format(low, high, unit)


def estimate(estimated: Estimate | None, form: Form, unit: Markup | str = "") -> Markup:
    """Return an estimate that is not a rate of pairs, with its interval."""
    if estimated is None:
        return Markup()
    interval = estimated.interval
    value = form(estimated.value, width_of(interval))
    return Markup("<b>{}</b>{} <small>{}</small>").format(value, unit, ends(interval, form))


def rate(shown: Rate, at_fmr: Interval | None = None, *, has_interval: bool = True) -> Markup:
    """Return a rate with its interval: `at_fmr` if given, else the interval at the threshold."""
    interval = at_fmr or shown.interval
    value = percent(shown.value, width_of(interval))
    if not value:
        return Markup('<span class="none">no such pair</span>')
    shown_interval = ends(
        interval if has_interval else None,
        lambda end, width: percent(end, width, ""),
        "\N{NO-BREAK SPACE}%",
    )
    counts = Markup('<span class="whole">{} of {}</span>').format(
        count(shown.errors), count(shown.trials)
    )
    details = Markup(", ").join(filter(None, (shown_interval, counts)))
    return Markup("<b>{}</b> <small>{}</small>").format(value, details)


def moment(at: dt.datetime) -> Markup:
    at_utc = at.astimezone(dt.UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        at.isoformat(), f"{at_utc:%Y-%m-%d %H:%M}"
    )


#: Origin of a system's answers, by its `Environment`.
_ORIGINS: Final = {
    "production": "the vendor",
    "sandbox": "the sandbox of the vendor",
    "mock": "a mock server",
    "local": "a matcher on this machine",
    None: "a file of scores",
}

#: Rule of 30 (ISO/IEC 19795-1): with at least 30 independent errors, the true rate is within 30 %
#: of the observed rate, with 90 % confidence.
RULE_OF_30: Final = 30

_TIMES: Final = Markup("&nbsp;&times;")

Row = Mapping[Any, Markup | str]  # titles may be Markup, too


def head(rows: Sequence[Row]) -> list[Markup | str]:
    """Return the titles of the columns that are not empty."""
    return [title for title in rows[0] if any(row[title] for row in rows)]


class Tables:
    """The tables of a page, each a list of rows.

    Attributes:
        verdict, service, tested: Rates, times and money, and origin of each system.
        at_fmrs: The EER, and the rates at the FMRs that all reports show.
        years: The expected errors of a year and their cost.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        """Make the tables with a row for each system; the others are made when they are asked for.

        A system without any cell has no row.
        """
        self.evaluation = evaluation
        self.systems = evaluation.systems
        self._style_of = {
            system.name: style_of(number) for number, system in enumerate(self.systems)
        }
        self._has_failures_to_acquire = any(
            system.service.acquisition.errors for system in self.systems
        )
        self.verdict = self._by_system(self._verdict_on)
        self.at_fmrs = self._by_system(self._rates_at_fmrs)
        self.years = self._by_system(self._year_of)
        self.service = self._by_system(self._service_of)
        self.tested = self._by_system(self._tested_system)

    def name(self, system_name: str) -> Markup:
        """Return the name of a system, with its line and marker in the figures."""
        style = self._style_of.get(system_name)
        swatch = style.swatch() if style else ""
        return Markup('<span class="system">{} {}</span>').format(swatch, text(system_name))

    def _by_system(self, cells_of: Callable[[System], Row]) -> list[Row]:
        """Return a row for each system that has cells."""
        rows: list[Row] = []
        for system in self.systems:
            cells = cells_of(system)
            if any(cells.values()):
                rows.append({"System": self.name(system.name), **cells})
        return rows

    def _fmr(self, fmr: Rate) -> Markup:
        """Return an FMR, with a note if its interval is within or above the required FMR."""
        required = self.evaluation.required_fmr
        interval = fmr.interval
        if not interval:
            return rate(fmr)
        if interval.high <= required:
            note = Markup(' <small class="whole good">within the required {}</small>')
        elif interval.low > required:
            note = Markup(' <small class="whole bad">above the required {}</small>')
        else:
            return rate(fmr)
        return rate(fmr) + note.format(setting(required))

    def _verdict_on(self, system: System) -> Row:
        """Return the row of a system at its operating point; rates are empty without one.

        FNMR is empty if no picture of any system failed to be acquired: it equals the FRR then.
        """
        point = system.point
        service = system.service
        fnmr = Markup()
        if point and self._has_failures_to_acquire:  # without one, every FNMR equals its FRR
            fnmr = rate(point.fnmr, point.fnmr_at_fmr)
        return {
            "Threshold": _threshold(system, point),
            "FMR: others pass": self._fmr(point.fmr) if point else "",
            "FRR: rejected": rate(point.frr, point.frr_at_fmr) if point else "",
            "FNMR: compared and rejected": fnmr,
            "FTA: of all pairs": _if_any(service.acquisition),
            "Price of a call": money(service.price, service.currency),
            "95 of 100 calls within": _within(service, "95"),
        }

    def _rates_at_fmrs(self, system: System) -> Row:
        """Return a system's EER, and its FNMR and FRR at each FMR, with the threshold.

        Where the data support no threshold, the cell says why. The FRR is left out if it equals the
        FNMR, because no picture of any system failed to be acquired.
        """
        # Systems that can be judged have the same FMRs; the others have none, and so no row.
        if not system.at_fmrs:
            return {}
        eer = system.curve.eer if system.curve else None
        row: dict[Any, Markup] = {"EER": estimate(eer, percent)}
        for point_at in system.at_fmrs:
            title = Markup("at an FMR of ") + setting(point_at.fmr)
            point = point_at.point
            fnmr = _why_empty(point_at)
            frr = Markup()
            if point is not None:
                at_threshold = Markup(" <small>threshold {}</small>").format(score(point.threshold))
                # The interval at the threshold would be too narrow: the threshold was chosen.
                has_interval = point.fnmr_at_fmr is not None
                fnmr = rate(point.fnmr, point.fnmr_at_fmr, has_interval=has_interval)
                fnmr += at_threshold
                if self._has_failures_to_acquire:
                    frr = rate(point.frr, point.frr_at_fmr, has_interval=has_interval)
            row["FNMR " + title] = fnmr
            row["FRR " + title] = frr
        return row

    @property
    def differences(self) -> list[Row]:
        """The differences of every two systems."""
        differences = self.evaluation.differences
        # Only the adjusted p-value and the verdict correct for multiple comparisons.
        alone = ", these two alone" if len(differences) > 1 else ""
        rows: list[Row] = []
        for difference in differences:
            first = self.name(difference.first)
            second = self.name(difference.second)
            rows.append(
                {
                    "Systems": Markup("{} <small>against</small> {}").format(first, second),
                    "Pairs": count(difference.pairs),
                    "People": count(difference.subjects),
                    "The first rejected": _errors(difference.errors_first, difference.only_first),
                    "The second": _errors(difference.errors_second, difference.only_second),
                    f"Difference of the FRR{alone}": estimate(difference.frr, points),
                    f"p{alone}": probability(difference.p_value),
                    "p for all comparisons": probability(difference.p_adjusted),
                    "Significant": _significance(difference),
                    "At fixed thresholds": ends(difference.exact, points),
                    "p at fixed thresholds": probability(difference.p_exact),
                    "Identical scores": _same_scores(difference),
                }
            )
        return rows

    @property
    def groups(self) -> list[Row]:
        """The rates of each group of each system."""
        rows: list[Row] = []
        for system in self.systems:
            for cell in system.groups:
                group = Markup("{}: {}").format(text(cell.column), text(cell.group))
                rows.append(
                    {
                        "System": self.name(system.name),
                        "Group": group,
                        "FRR": rate(cell.frr),
                        "Ratio of FRR": _ratio(cell.frr_ratio),
                        "FMR": rate(cell.fmr),
                        "Ratio of FMR": _ratio(cell.fmr_ratio),
                        "FTA": rate(cell.fta) if self._has_failures_to_acquire else "",
                        "Remark": text(cell.too_few),
                    }
                )
        return rows

    @property
    def cross_groups(self) -> dict[str, list[Row]]:
        """The FMR of each group of probes with each group of references, by column of groups."""
        rows_of: dict[str, dict[Any, Any]] = {}
        for system in self.systems:
            for cell in system.cross_groups:
                rows = rows_of.setdefault(cell.column, {})
                heads = {"System": self.name(system.name), "Probe": text(cell.probe_group)}
                row = rows.setdefault((system.name, cell.probe_group), heads)
                few = Markup(" <small>too few people</small>") if cell.too_few else Markup()
                title = Markup("Reference: {}").format(text(cell.reference_group))
                row[title] = rate(cell.fmr) + few
        return {column: list(rows.values()) for column, rows in rows_of.items()}

    def _year_of(self, system: System) -> Row:
        """Return what a year of the stated traffic costs; an empty row without traffic.

        The cost of errors is in the currency of the traffic, the price of calls in that of the
        system.
        """
        year = system.year
        if year is None or self.evaluation.traffic is None:
            return {}
        service_currency = text(system.service.currency)
        costs = self.evaluation.traffic.costs
        currency = text(costs.currency) if costs else Markup()
        return {
            # The sum is first: in a narrow window the last columns are out of sight.
            "Errors and calls": _cost(year.cost, currency),
            "Cost of these errors": _cost(year.cost_of_errors, currency),
            "Price of the calls": quantity(year.cost_of_calls, None, service_currency),
            "False matches": estimate(year.false_matches, quantity),
            "False rejects": estimate(year.false_rejects, quantity),
        }

    @property
    def gaps(self) -> list[tuple[str, GroupDifference]]:
        """The name of the system and the difference, for each difference between groups."""
        return [(system.name, gap) for system in self.systems for gap in system.group_differences]

    @property
    def few_errors(self) -> list[tuple[str, Rate, str]]:
        """The system, rate and name of each rate with fewer errors than the rule of 30 requires."""
        few = []
        for system in self.systems:
            point = system.point
            rates = {"FMR": point.fmr, "FRR": point.frr} if point else {}
            for rate_name, shown in rates.items():
                if shown.errors < RULE_OF_30:
                    few.append((system.name, shown, rate_name))
        return few

    def _service_of(self, system: System) -> Row:
        """Return a system's availability, times and prices.

        Cells that were not measured are empty.
        """
        service = system.service
        currency = service.currency
        return {
            "Calls": count(service.calls),
            "Not answered": _if_any(service.answered),
            "Reasons": _list_counts(service.not_answered),
            "Timed": _unless_zero(service.timed),
            "Half within": _within(service, "50"),
            "90 of 100 within": _within(service, "90"),
            "95 of 100 within": _within(service, "95"),
            "99 of 100 within": _within(service, "99"),
            "Price of a call": money(service.price, currency),
            "Charged for all": money(service.cost, currency),
            "Calls per genuine person who passed": money(service.cost_per_verified, currency),
        }

    def _tested_system(self, system: System) -> Row:
        return {
            "Answered by": _ORIGINS[system.environment],
            "Model": text(system.model),
            "Gives": "scores" if system.kind == "scores" else "decisions only",
            "Without a score": _unless_zero(system.without_score),
        }

    @property
    def people(self) -> list[Row]:
        """The size of the test set and of each group."""
        study = self.evaluation.study
        rows = [_size_row("All", study.size)]
        for column, groups in study.groups.items():
            for group, size in groups.items():
                rows.append(_size_row(Markup("{}: {}").format(name(column), name(group)), size))
        return rows


def _size_row(part: Markup | str, size: SampleSize) -> Row:
    return {
        "Part": part,
        "People": count(size.subjects),
        "Pairs": count(size.pairs),
        "Mated": count(size.mated),
        "Non-mated": count(size.non_mated),
    }


def _unless_zero(value: int) -> Markup:
    return count(value) if value else Markup()


def _if_any(shown: Rate) -> Markup:
    return rate(shown) if shown.trials else Markup()


def _within(service: Service, percentile: str) -> Markup:
    latency = service.latency_s
    return quantity(latency[percentile], unit="s") if percentile in latency else Markup()


def _list_counts(counts: Mapping[str, int]) -> Markup:
    parts = [Markup("{}: {}").format(name(key), count(value)) for key, value in counts.items()]
    return Markup(", ").join(parts)


def _threshold(system: System, point: OperatingPoint | None) -> Markup:
    """Return a threshold with a note on its origin, or the reason why there is none."""
    note = text(system.why_not)
    if not point:
        return note
    threshold = score(point.threshold)
    # Without a point at the required FMR, this is the one at the threshold of the run.
    if threshold and not system.at_required:
        note = Markup("of the run. {}").format(note)
    elif point.chosen_on == "fixed":
        note = Markup("fixed")
    if not threshold:
        threshold = Markup("the vendor decides")
    if not note:
        return threshold
    return threshold + Markup(" <small>{}</small>").format(note)


def _why_empty(point_at: PointAt) -> Markup:
    """Return how many pairs an FMR needs, or the reason why there are no rates at it."""
    if point_at.pairs_needed is None:
        return Markup("<small>{}</small>").format(text(point_at.why_not))
    needed = count(point_at.pairs_needed)
    return Markup("<small>needs {} non-mated pairs</small>").format(needed)


def _ratio(ratio: Estimate | None) -> Markup:
    if ratio is None or ratio.value:
        return estimate(ratio, quantity, _TIMES)
    high = quantity(ratio.interval.high)
    return Markup("<small>no error: at most {}{}</small>").format(high, _TIMES)


def _cost(cost: Estimate | None, currency: Markup) -> Markup:
    """Return an amount with its interval and currency; empty if it is unknown."""
    return estimate(cost, quantity, Markup("&nbsp;") + currency)


def _errors(errors: int | None, alone: int | None) -> Markup:
    """Return the pairs that a system rejected, and those that it alone rejected."""
    if errors is None:
        return Markup()
    return Markup('{} <small class="whole">{} alone</small>').format(count(errors), count(alone))


def _same_scores(difference: Difference) -> Markup:
    if not difference.both_scored:
        return Markup()
    same_scores = count(difference.same_scores)
    return Markup("{} of {}").format(same_scores, count(difference.both_scored))


def _significance(difference: Difference) -> Markup:
    """Return whether a difference is significant, and the systems above the required FMR."""
    if not difference.frr:
        answer = Markup("not compared")
    elif not difference.is_real:
        answer = Markup("no")
    elif difference.better:
        answer = Markup("yes: {} is better").format(text(difference.better))
    else:
        answer = Markup("yes")
    for system_name in difference.beyond:
        warning = Markup(" <small>{} is above the required FMR</small>")
        answer += warning.format(text(system_name))
    return answer


def report_html(evaluation: Evaluation) -> str:
    """Return an evaluation as one HTML page with the JSON's numbers, without scripts or requests.

    The same evaluation gives the same page, byte for byte. A notebook shows the page, not its text.
    """
    tables = Tables(evaluation)
    return render(
        "page.html",
        evaluation=evaluation,
        tables=tables,
        sections=[*_sections(evaluation, tables)],
    )


class _Page(str):
    """A page, which a notebook shows in a frame, so that its style does not reach the notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        frame = Markup('<iframe srcdoc="{}" title="Report" width="100%" height="800"></iframe>')
        return frame.format(str(self))


def render(template: str, *folders: Path, **values: Any) -> str:
    """Return a page with the style of a report, without scripts or requests.

    `folders` may have templates beside those of a report.
    """
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    values |= {
        "style": Markup(style),  # noqa: S704 - a file of ours
        "style_digest": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    }
    return _Page(_environment(*folders).get_template(template).render(values))


def write_report(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write `report_html` to a file that only its owner may read; replace an existing file.

    Raises:
        OSError: the file cannot be written. A missing folder is not created.
    """
    write_file(path, report_html(evaluation).encode(), private=True)


class Folding(enum.StrEnum):
    """When a section is folded. A printed page shows everything."""

    NEVER = "never"
    #: In narrow windows, where tables are lists of cards.
    NARROW = "narrow"
    ALWAYS = "always"


def _sections(evaluation: Evaluation, tables: Tables) -> Iterator[tuple[str, str, Folding]]:
    """Yield the macro (in ``sections.html``), title and folding of each section with data.

    Sections for a decision come first, then folded details for an analyst.
    """
    yield from _sections_for_decision(evaluation, tables)
    if evaluation.differences:
        yield "paired", "Differences in numbers", Folding.ALWAYS
    yield "tested", "Who and what was tested", Folding.ALWAYS
    yield "method", "How this was measured", Folding.ALWAYS


def _sections_for_decision(
    evaluation: Evaluation, tables: Tables
) -> Iterator[tuple[str, str, Folding]]:
    """Yield the sections on which a decision rests: id, title and whether they fold.

    A section without content is left out, and so are differences that the headline already states.
    """
    headline = evaluation.headline
    differences = evaluation.differences
    if evaluation.caveats:
        yield "cannot", "What this comparison cannot show", Folding.NEVER
    if tables.years:
        yield "year", "A year of calls", Folding.NEVER
    if any(difference.sentence not in headline for difference in differences):
        yield "differences", "Is the difference real?", Folding.NEVER
    if tables.groups:
        yield "groups", "Groups of people", Folding.NEVER
    if any(system.curve for system in tables.systems):
        yield "thresholds", "Scores and thresholds", Folding.NARROW
    if tables.at_fmrs:
        yield "fmrs", "EER, and FNMR at false match rates", Folding.NARROW
    if any(map(_is_measured, tables.systems)):
        yield "service", "Availability, time and money", Folding.NARROW


def _is_measured(system: System) -> bool:
    service = system.service
    has_price = service.price is not None or service.cost is not None
    return has_price or bool(service.latency_s or service.not_answered)


def printable(value: object) -> object:
    """Return what a template prints: a text without control characters, and Markup as it is.

    Raises:
        TypeError: a number is printed without a filter, and so without its exact value.
    """
    if value is None or isinstance(value, (int, float)):
        raise TypeError(f"{value!r} cannot be printed without a filter.")
    return plain(value) if type(value) is str else value


@functools.cache
def _environment(*folders: Path) -> jinja2.Environment:
    """Return the environment that renders pages.

    Templates of `folders` go before our own. Everything is escaped, and an undefined name raises.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader((*folders, _TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable,
    )
    environment.filters |= {
        "count": count,
        "head": head,
        "moment": moment,
        "name": name,
        "money": money,
        "plain": plain,
        "quantity": quantity,
        "setting": setting,
        "text": text,
    }
    environment.globals |= {"plots": plots, "nothing": NOTHING}
    return environment
