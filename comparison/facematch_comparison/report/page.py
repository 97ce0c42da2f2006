"""Render an evaluation as a self-contained HTML page: the verdict first, then its evidence.

The page shows only data of `Evaluation.to_dict`. Its sentences are in ``templates``. Sections
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
from typing import Any, Final, NamedTuple

import jinja2
from markupsafe import Markup

from facematch_comparison.values import numbers
from facematch_comparison.values.model import Evaluation
from facematch_core.base.files import write_file

from . import plots
from .bars import Bar, draw_bars
from .plain import plain, shortened
from .plots import Style, style_of

_TEMPLATES: Final = Path(__file__).parent / "templates"

#: Mark for a missing value.
NOTHING = Markup('<span class="none">&ndash;</span>')


class Node:
    """A value of a JSON document.

    A node with the value 0 is true; with None or an empty string, list or object, it is false.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __getitem__(self, key: str | int) -> Node:
        return Node(self.raw[key])

    def __iter__(self) -> Iterator[Node]:
        return (self[place] for place in range(len(self.raw)))

    def __len__(self) -> int:
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None and self.raw not in ("", [], {})

    def __str__(self) -> str:
        raise TypeError(f"{self.raw!r:.60} cannot be printed without a filter.")

    @property
    def entries(self) -> list[tuple[str, Node]]:
        """Keys of an object with their nodes."""
        return [(name, self[name]) for name in self.raw]


#: Formats a number, given the width of its interval.
Form = Callable[[Node, float | None], Markup]


def text(node: Node) -> Markup:
    """Return a text of the document as HTML, with no-break spaces before percent signs."""
    if not node:
        return Markup()
    text_value = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", plain(node.raw))
    return Markup("<bdi>{}</bdi>").format(text_value)


def name(text_value: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(plain(text_value))


def number(node: Node, form: Callable[[Any], str], unit: Markup | str = "") -> Markup:
    """Return a number of the document as HTML, formatted by `form`."""
    if node.raw is None:
        return Markup()
    shown_value = Markup('<data value="{}">{}</data>').format(json.dumps(node.raw), form(node.raw))
    return Markup("{}&nbsp;{}").format(shown_value, unit) if unit else shown_value


#: Formats of counts, of chosen rates in percent (all digits), of scores, and of p-values.
count = functools.partial(number, form="{:,}".format)
setting = functools.partial(number, form=numbers.setting, unit="%")
score = functools.partial(number, form=numbers.score)
probability = functools.partial(number, form="{:.2g}".format)


def percent(node: Node, width: float | None = None, unit: str = "%") -> Markup:
    return number(node, lambda rate: numbers.percent(rate, width), unit)


def points(node: Node, width: float | None = None) -> Markup:
    return number(node, lambda gap: numbers.points(gap, width))


def quantity(node: Node, width: float | None = None, unit: str = "") -> Markup:
    return number(node, lambda value: numbers.quantity(value, width), unit)


def money(node: Node, currency: Node) -> Markup:
    return number(node, numbers.money, text(currency))


def width_of(interval: Node) -> float | None:
    return interval["high"].raw - interval["low"].raw if interval else None


def ends(interval: Node, form: Form, unit: str = "") -> Markup:
    if not interval:
        return Markup()
    width = width_of(interval)
    low = form(interval["low"], width)
    high = form(interval["high"], width)
    return Markup('<span class="interval">{} to {}{}</span>').format(low, high, unit)


def estimate(node: Node, form: Form, unit: Markup | str = "") -> Markup:
    """Return an estimate that is not a rate of pairs, with its interval."""
    if not node:
        return Markup()
    interval = node["interval"]
    value = form(node["value"], width_of(interval))
    return Markup("<b>{}</b>{} <small>{}</small>").format(value, unit, ends(interval, form))


def rate(node: Node, at_fmr: Node | None = None) -> Markup:
    """Return a rate with its interval: `at_fmr` if given, else the interval at the threshold."""
    interval = at_fmr or node["interval"]
    value = percent(node["value"], width_of(interval))
    if not value:
        return Markup('<span class="none">no such pair</span>')
    shown_interval = ends(
        interval, lambda end, width: percent(end, width, ""), "\N{NO-BREAK SPACE}%"
    )
    counts = Markup('<span class="whole">{} of {}</span>').format(
        count(node["errors"]), count(node["trials"])
    )
    details = Markup(", ").join(filter(None, (shown_interval, counts)))
    return Markup("<b>{}</b> <small>{}</small>").format(value, details)


def rate_at_common_fmr(point: Node, rate_name: str) -> Markup:
    """Return a rate with its counts; with an interval only at the required FMR.

    The interval at the threshold would be too narrow, because the threshold was chosen.
    """
    if not point:
        return Markup()
    node = point[rate_name]
    at_fmr = point[f"{rate_name}_at_fmr"]
    if at_fmr or not node["trials"].raw:
        return rate(node, at_fmr)
    value = percent(node["value"], width_of(node["interval"]))
    return Markup('<b>{}</b> <small><span class="whole">{} of {}</span></small>').format(
        value, count(node["errors"]), count(node["trials"])
    )


def moment(node: Node) -> Markup:
    at = dt.datetime.fromisoformat(node.raw).astimezone(dt.UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(node.raw, f"{at:%Y-%m-%d %H:%M}")


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

#: Letters of a system's name and model that fit in the margin of a printed page.
_MOST_LETTERS_IN_MARGIN: Final = 80

_TIMES: Final = Markup("&nbsp;&times;")

Row = Mapping[Any, Markup | str]  # titles may be Markup, too


def head(rows: Sequence[Row]) -> list[Markup | str]:
    """Return the titles of the columns that are not empty."""
    return [title for title in rows[0] if any(row[title] for row in rows)]


class Tables:
    """The tables of a page, each a list of rows."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self.systems = list(document["systems"])
        self._style_of: dict[str, Style] = {}
        for number, system in enumerate(self.systems):
            self._style_of[system["name"].raw] = style_of(number)
        self._has_failures_to_acquire = any(
            system["service"]["acquisition"]["errors"].raw for system in self.systems
        )

    def name(self, node: Node) -> Markup:
        """Return the name of a system, with its line and marker in the figures."""
        style = self._style_of.get(node.raw)
        swatch = style.swatch() if style else ""
        return Markup('<span class="system">{} {}</span>').format(swatch, text(node))

    def _by_system(self, cells_of: Callable[[Node], Row]) -> list[Row]:
        """Return a row for each system that has cells."""
        rows: list[Row] = []
        for system in self.systems:
            cells = cells_of(system)
            if any(cells.values()):
                rows.append({"System": self.name(system["name"]), **cells})
        return rows

    def _fmr(self, fmr: Node) -> Markup:
        """Return an FMR, with a note if its interval is within or above the required FMR."""
        required = self.document["required_fmr"]
        interval = fmr["interval"]
        if not interval:
            return rate(fmr)
        if interval["high"].raw <= required.raw:
            note = Markup(' <small class="whole good">within the required {}</small>')
        elif interval["low"].raw > required.raw:
            note = Markup(' <small class="whole bad">above the required {}</small>')
        else:
            return rate(fmr)
        return rate(fmr) + note.format(setting(required))

    @property
    def verdict(self) -> list[Row]:
        """The verdict table: a row for each system."""
        return self._by_system(self._verdict_on)

    def _verdict_on(self, system: Node) -> Row:
        point = _point(system)
        service = system["service"]
        fnmr = Markup()
        if point and self._has_failures_to_acquire:  # without one, every FNMR equals its FRR
            fnmr = rate(point["fnmr"], point["fnmr_at_fmr"])
        return {
            "Threshold": _threshold(system, point),
            "FMR: others pass": self._fmr(point["fmr"]) if point else "",
            "FRR: rejected": _frr(point),
            "FNMR: compared and rejected": fnmr,
            "FTA: of all pairs": _if_any(service["acquisition"]),
            "Price of a call": money(service["price"], service["currency"]),
            "95 of 100 calls within": _within(service, "95"),
        }

    @property
    def at_fmrs(self) -> list[Row]:
        """Thresholds and rates at the common FMRs."""
        return self._by_system(self._rates_at_fmrs)

    def _rates_at_fmrs(self, system: Node) -> Row:
        # All rows need the same titles.
        titles: list[Markup] = []
        for titled in self.systems:
            if titled["at_fmrs"]:
                for point_at in titled["at_fmrs"]:
                    titles.append(Markup("at an FMR of ") + setting(point_at["fmr"]))
                break
        row: dict[Markup | str, Markup | str] = {}
        for title, point_at in zip(titles, system["at_fmrs"], strict=False):
            point = point_at["point"]
            row["Threshold " + title] = score(point["threshold"]) if point else ""
            row["FNMR " + title] = rate_at_common_fmr(point, "fnmr")
            row["FRR " + title] = rate_at_common_fmr(point, "frr") or _why_empty(point_at)
        return row

    @property
    def differences(self) -> list[Row]:
        """The differences of every two systems."""
        differences = self.document["differences"]
        # Only the adjusted p-value and the verdict correct for multiple comparisons.
        alone = ", these two alone" if len(differences) > 1 else ""
        rows: list[Row] = []
        for difference in differences:
            first = self.name(difference["first"])
            second = self.name(difference["second"])
            rows.append(
                {
                    "Systems": Markup("{} <small>against</small> {}").format(first, second),
                    "Pairs": count(difference["pairs"]),
                    "People": count(difference["subjects"]),
                    "The first rejected": _errors(difference, "first"),
                    "The second": _errors(difference, "second"),
                    f"Difference of the FRR{alone}": estimate(difference["frr"], points),
                    f"p{alone}": probability(difference["p_value"]),
                    "p for all comparisons": probability(difference["p_adjusted"]),
                    "Significant": _significance(difference),
                    "At fixed thresholds": ends(difference["exact"], points),
                    "p at fixed thresholds": probability(difference["p_exact"]),
                    "Identical scores": _same_scores(difference),
                }
            )
        return rows

    @property
    def groups(self) -> list[Row]:
        """The rates of each group of each system."""
        has_failures_to_acquire = False
        for system in self.systems:
            for cell in system["groups"]:
                has_failures_to_acquire |= bool(cell["fta"]["errors"].raw)
        rows: list[Row] = []
        for system in self.systems:
            for cell in system["groups"]:
                group = Markup("{}: {}").format(text(cell["column"]), text(cell["group"]))
                rows.append(
                    {
                        "System": self.name(system["name"]),
                        "Group": group,
                        "FRR": rate(cell["frr"]),
                        "Ratio of FRR": _ratio(cell["frr_ratio"]),
                        "FMR": rate(cell["fmr"]),
                        "Ratio of FMR": _ratio(cell["fmr_ratio"]),
                        "FTA": rate(cell["fta"]) if has_failures_to_acquire else "",
                        "Remark": text(cell["too_few"]),
                    }
                )
        return rows

    @property
    def group_figures(self) -> list[Markup]:
        """A figure of each rate of each column of groups: a row for each group and system.

        Groups that are too small are in the table only: their intervals would fill the figure.
        """
        columns: dict[str, list[str]] = {}
        for system in self.systems:
            for cell in system["groups"]:
                groups = columns.setdefault(cell["column"].raw, [])
                if cell["group"].raw not in groups and not cell["too_few"]:
                    groups.append(cell["group"].raw)
        figures = []
        for column, groups in columns.items():
            for rate_name in ("frr", "fmr"):
                bars: list[Bar] = []
                for group in groups:
                    bars += self._bars_of(column, group, rate_name)
                if bars:
                    axis = f"{rate_name.upper()} by {shortened(column, 20)}, in %"
                    figures.append(draw_bars(bars, axis=axis, lowest=0.0))
        return figures

    def _bars_of(self, column: str, group: str, rate_name: str) -> list[Bar]:
        """Return the rate of a group for each system that has it; the first bar has the name."""
        bars: list[Bar] = []
        for number, system in enumerate(self.systems):
            for cell in system["groups"]:
                is_sought = cell["column"].raw == column and cell["group"].raw == group
                shown_value = cell[rate_name]
                if is_sought and not cell["too_few"] and shown_value["interval"]:
                    bars.append(
                        Bar(
                            name="" if bars else group,
                            value=100 * shown_value["value"].raw,
                            low=100 * shown_value["interval"]["low"].raw,
                            high=100 * shown_value["interval"]["high"].raw,
                            style=style_of(number),
                        )
                    )
        return bars

    @property
    def years(self) -> list[Row]:
        """The expected errors of a year and their cost."""
        return self._by_system(self._year_of)

    def _year_of(self, system: Node) -> Row:
        year = system["year"]
        if not year:
            return {}
        service_currency = text(system["service"]["currency"])
        costs = self.document["traffic"]["costs"]
        currency = text(costs["currency"]) if costs else Markup()
        return {
            # The sum is first: in a narrow window the last columns are out of sight.
            "Errors and calls": _cost(year["cost"], currency),
            "Cost of these errors": _cost(year["cost_of_errors"], currency),
            "Price of the calls": quantity(year["cost_of_calls"], None, service_currency),
            "False matches": estimate(year["false_matches"], quantity),
            "False rejects": estimate(year["false_rejects"], quantity),
        }

    def overlaps(self, difference: Node) -> list[Row]:
        """The errors of two systems on the same pairs."""
        first = text(difference["first"])
        second = text(difference["second"])
        rows: list[Row] = []
        for field, errors in (
            ("mated_rejected", "mated pairs rejected"),
            ("non_mated_passed", "non-mated pairs that pass"),
        ):
            overlap = difference["scatter"][field]
            if overlap:
                rows.append(
                    {
                        "Errors": errors,
                        "Both": count(overlap["both"]),
                        Markup("Only {}").format(first): count(overlap["only_first"]),
                        Markup("Only {}").format(second): count(overlap["only_second"]),
                        "Of": count(overlap["pairs"]),
                    }
                )
        return rows

    @property
    def gaps(self) -> list[tuple[Node, Node]]:
        """The name of the system and the difference, for each difference between groups."""
        gaps = []
        for system in self.systems:
            for gap in system["group_differences"]:
                gaps.append((system["name"], gap))
        return gaps

    @property
    def largest_differential(self) -> tuple[Node, Node] | None:
        """The name of the system and the difference with the highest summary differential."""
        largest = None
        highest = 0.0
        for system_name, gap in self.gaps:
            differential = gap["differential"].raw
            if differential is not None and differential > highest:
                largest = (system_name, gap)
                highest = differential
        return largest

    @property
    def few_errors(self) -> list[tuple[Node, Node, str]]:
        """The system, rate and name of each rate with fewer errors than the rule of 30 requires."""
        few = []
        for system in self.systems:
            point = _point(system)
            for rate_name in ("fmr", "frr") if point else ():
                if point[rate_name]["errors"].raw < RULE_OF_30:
                    few.append((system["name"], point[rate_name], rate_name.upper()))
        return few

    @property
    def worst_people(self) -> list[Row]:
        """The person of each system who is in most of the pairs that decide its FMR."""
        return self._by_system(self._worst_person_of)

    def _worst_person_of(self, system: Node) -> Row:
        few = system["concentration"]
        point = _point(system)
        if not few or not point:
            return {}
        is_chosen = point["chosen_on"].raw == "evaluation"
        return {
            "The worst person": text(few["person"]),
            "Is in": percent(few["worst_person"]),
            "Of": count(few["pairs"]),
            "Pairs": "that set the threshold" if is_chosen else "false matches",
            "People": count(few["people"]),
            "Threshold without": score(few["threshold_without"]),
        }

    @property
    def service(self) -> list[Row]:
        """Availability, time and money."""
        return self._by_system(self._service_of)

    def _service_of(self, system: Node) -> Row:
        service = system["service"]
        currency = service["currency"]
        return {
            "Calls": count(service["calls"]),
            "Not answered": _if_any(service["answered"]),
            "Reasons": _list_counts(service["not_answered"]),
            "Timed": _unless_zero(service["timed"]),
            "Half within": _within(service, "50"),
            "90 of 100 within": _within(service, "90"),
            "95 of 100 within": _within(service, "95"),
            "99 of 100 within": _within(service, "99"),
            "Price of a call": money(service["price"], currency),
            "Charged for all": money(service["cost"], currency),
            "Calls per genuine person who passed": money(service["cost_per_verified"], currency),
        }

    @property
    def tested(self) -> list[Row]:
        """Who answered."""
        return self._by_system(self._tested_system)

    def _tested_system(self, system: Node) -> Row:
        return {
            "Answered by": _ORIGINS[system["environment"].raw],
            "Backend": text(system["backend"]),
            "Model": text(system["model"]),
            "Scale": text(system["scale"]),
            "Gives": "scores" if system["kind"].raw == "scores" else "decisions only",
            "Without a score": _unless_zero(system["without_score"]),
            "Privacy": text(system["privacy"]),
        }

    @property
    def people(self) -> list[Row]:
        """The size of the test set and of each group."""
        study = self.document["study"]
        rows = [_size_row("All", study["size"])]
        for column, groups in study["groups"].entries:
            for group, size in groups.entries:
                rows.append(_size_row(Markup("{}: {}").format(name(column), name(group)), size))
        return rows


def _size_row(part: Markup | str, size: Node) -> Row:
    return {
        "Part": part,
        "People": count(size["subjects"]),
        "Pairs": count(size["pairs"]),
        "Mated": count(size["mated"]),
        "Non-mated": count(size["non_mated"]),
    }


def _point(system: Node) -> Node:
    return system["at_required"] or system["at_default"]


def _frr(point: Node) -> Markup:
    return rate(point["frr"], point["frr_at_fmr"]) if point else Markup()


def _unless_zero(node: Node) -> Markup:
    return count(node) if node.raw else Markup()


def _if_any(node: Node) -> Markup:
    return rate(node) if node["trials"].raw else Markup()


def _within(service: Node, percentile: str) -> Markup:
    latency = service["latency_s"]
    return quantity(latency[percentile], unit="s") if percentile in latency.raw else Markup()


def _list_counts(counts: Node) -> Markup:
    parts = [Markup("{}: {}").format(name(key), count(node)) for key, node in counts.entries]
    return Markup(", ").join(parts)


def _threshold(system: Node, point: Node) -> Markup:
    """Return a threshold with a note on its origin, or the reason why there is none."""
    note = text(system["why_not"])
    if not point:
        return note
    threshold = score(point["threshold"])
    # Without a point at the required FMR, this is the one at the threshold of the run.
    if threshold and not system["at_required"]:
        note = Markup("of the run. {}").format(note)
    elif point["chosen_on"].raw == "fixed":
        note = Markup("fixed")
    if not threshold:
        threshold = Markup("the vendor decides")
    if not note:
        return threshold
    return threshold + Markup(" <small>{}</small>").format(note)


def _why_empty(point_at: Node) -> Markup:
    """Return how many pairs an FMR needs, or the reason why there are no rates at it."""
    if point_at["pairs_needed"].raw is None:
        return Markup("<small>{}</small>").format(text(point_at["why_not"]))
    needed = count(point_at["pairs_needed"])
    return Markup("<small>needs {} non-mated pairs</small>").format(needed)


def _ratio(node: Node) -> Markup:
    if not node or node["value"].raw:
        return estimate(node, quantity, _TIMES)
    high = quantity(node["interval"]["high"])
    return Markup("<small>no error: at most {}{}</small>").format(high, _TIMES)


def _cost(node: Node, currency: Markup) -> Markup:
    """Return an amount with its interval and currency; empty if it is unknown."""
    return estimate(node, quantity, Markup("&nbsp;") + currency)


def _errors(difference: Node, system: str) -> Markup:
    """Return the pairs that the ``first`` or ``second`` system rejected."""
    if not difference["frr"]:
        return Markup()
    return Markup('{} <small class="whole">{} alone</small>').format(
        count(difference[f"errors_{system}"]), count(difference[f"only_{system}"])
    )


def _same_scores(difference: Node) -> Markup:
    if not difference["both_scored"].raw:
        return Markup()
    same_scores = count(difference["same_scores"])
    return Markup("{} of {}").format(same_scores, count(difference["both_scored"]))


def _significance(difference: Node) -> Markup:
    """Return whether a difference is significant, and the systems above the required FMR."""
    if not difference["frr"]:
        answer = Markup("not compared")
    elif not difference["is_real"].raw:
        answer = Markup("no")
    elif difference["better"]:
        answer = Markup("yes: {} is better").format(text(difference["better"]))
    else:
        answer = Markup("yes")
    for system_name in difference["beyond"]:
        warning = Markup(" <small>{} is above the required FMR</small>")
        answer += warning.format(text(system_name))
    return answer


def report_html(evaluation: Evaluation) -> str:
    """Return an evaluation as one HTML page with the JSON's numbers, without scripts or requests.

    The same evaluation gives the same page, byte for byte.
    """
    document = Node(evaluation.to_dict())
    tables = Tables(document)
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8") + _margins_of(document)
    return _page().render(
        document=document,
        tables=tables,
        evaluation=evaluation,
        sections=[*_sections(document, tables)],
        digest=_digest_of(document),
        style=Markup(style),  # noqa: S704 - a file of ours
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def _margins_of(document: Node) -> str:
    """Return the style of the margins of each printed page: digest, models and page numbers."""
    facts = []
    digest = _digest_of(document)
    if digest:
        facts.append(plain(f"SHA-256 of {digest.title}: {digest.node.raw}"))
    for system in document["systems"]:
        if system["model"]:
            name_and_model = f"{system['name'].raw}: {system['model'].raw}"
            facts.append(shortened(name_and_model, _MOST_LETTERS_IN_MARGIN))
    return (
        "@page { @bottom-left { width: 85%; font: 6.5pt/1.3 system-ui, sans-serif; color: #444444; "
        f"content: {_css_string('; '.join(facts))}; }} "
        "@bottom-right { font: 6.5pt system-ui, sans-serif; color: #444444; "
        'content: counter(page) "/" counter(pages); } }\n'
    )


def _css_string(text: str) -> str:
    """Return a text as a string of CSS, in which only letters, digits and spaces are unescaped."""
    letters = []
    for letter in text:
        is_safe = letter.isascii() and (letter.isalnum() or letter == " ")
        letters.append(letter if is_safe else f"\\{ord(letter):x} ")
    return f'"{"".join(letters)}"'


class Digest(NamedTuple):
    """A digest of the compared pairs, and what it is the digest of."""

    title: str
    node: Node


def _digest_of(document: Node) -> Digest | None:
    """Return the digest of the test set, or else of the score files; None if neither is known."""
    if document["study"]["digest"]:
        return Digest("the pairs", document["study"]["digest"])
    if document["evidence"]:
        return Digest("the scores", document["evidence"]["sha256"])
    return None


def write_report(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write `report_html` to a file atomically; replace an existing file.

    Raises:
        OSError: the file cannot be written. A missing folder is not created.
    """
    write_file(path, report_html(evaluation).encode())


class Folding(enum.StrEnum):
    """When a section is folded. A printed page shows everything."""

    NEVER = "never"
    #: In narrow windows, where tables are lists of cards.
    NARROW = "narrow"
    ALWAYS = "always"


def _sections(document: Node, tables: Tables) -> Iterator[tuple[str, str, Folding]]:
    """Yield the macro (in ``sections.html``), title and folding of each section with data.

    Sections for a decision come first, then folded details for an analyst.
    """
    yield from _sections_for_decision(document, tables)
    if document["differences"]:
        yield "paired", "Differences in numbers", Folding.ALWAYS
    if tables.systems:
        yield "tested", "Who and what was tested", Folding.ALWAYS
    yield "method", "How this was measured", Folding.ALWAYS


def _sections_for_decision(document: Node, tables: Tables) -> Iterator[tuple[str, str, Folding]]:
    headline = document["headline"].raw
    differences = document["differences"]
    if document["caveats"]:
        yield "cannot", "What this comparison cannot show", Folding.NEVER
    if tables.years:
        yield "year", "A year of calls", Folding.NEVER
    if any(difference["sentence"].raw != headline for difference in differences):
        yield "differences", "Is the difference real?", Folding.NEVER
    if any(system["groups"] for system in tables.systems):
        yield "groups", "Groups of people", Folding.NEVER
    if any(difference["scatter"] for difference in differences):
        yield "scatter", "Two systems on the same pairs", Folding.NARROW
    if any(system["curve"] for system in tables.systems):
        yield "thresholds", "Scores and thresholds", Folding.NARROW
    if tables.at_fmrs:
        yield "fmrs", "At other false match rates", Folding.NARROW
    if any(map(_is_measured, tables.systems)):
        yield "service", "Availability, time and money", Folding.NARROW


def _is_measured(system: Node) -> bool:
    service = system["service"]
    return any(service[key] for key in ("latency_s", "not_answered", "price", "cost"))


@functools.cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # A node without a filter is printed as a text of the document.
        finalize=lambda value: text(value) if isinstance(value, Node) else value,
    )
    environment.filters |= {"count": count, "head": head, "moment": moment, "name": name}
    environment.filters |= {
        "money": money,
        "plain": plain,
        "quantity": quantity,
        "setting": setting,
    }
    environment.globals |= {"plots": plots, "nothing": NOTHING}
    return environment.get_template("page.html")
