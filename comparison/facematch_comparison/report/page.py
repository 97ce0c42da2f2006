"""Render an evaluation as a self-contained HTML page: the verdict first, then its evidence.

The page shows only data of `Evaluation.to_dict`. Its sentences are in ``templates``. Sections
without data are omitted.

A `data` element shows the value at ``data-path`` times ``data-times`` (default 1), rounded to the
digits shown. A missing value is an empty string.

A table is a list of rows; a row maps column titles to cells, and its first cell is its name. Rows
without any other cell are omitted. The captions are in ``templates``.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from facematch_comparison.values import numbers
from facematch_comparison.values.model import Evaluation
from facematch_core.base.files import write_file

from . import plots
from .plots import style_of

_TEMPLATES: Final = Path(__file__).parent / "templates"

#: Mark for a missing value.
NOTHING = Markup('<span class="none">&ndash;</span>')

#: Unicode controls of text direction, and Unicode line breaks.
_TURNING = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Node:
    """A value of a JSON document, and its path: keys and indexes joined by dots.

    Keys are percent-encoded, including dots (``%2E``), so that a path can be split. A node with the
    value 0 is true; with None or an empty string, list or object, it is false.
    """

    def __init__(self, raw: Any, *steps: str) -> None:
        self.raw = raw
        self._steps = steps

    @property
    def path(self) -> str:
        """Path such as ``systems.0.at_required.frr.value``; empty for the document."""
        return ".".join(self._steps)

    def __getitem__(self, key: str | int) -> Node:
        step = quote(str(key), safe="", errors="surrogatepass").replace(".", "%2E")
        return Node(self.raw[key], *self._steps, step)

    def __iter__(self) -> Iterator[Node]:
        return (self[place] for place in range(len(self.raw)))

    def __len__(self) -> int:
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None and self.raw not in ("", [], {})

    def __str__(self) -> str:
        raise TypeError(f"{self.path} cannot be printed without a filter.")

    @property
    def entries(self) -> list[tuple[str, Node]]:
        """Keys of an object with their nodes."""
        return [(name, self[name]) for name in self.raw]


#: Formats a number, given the width of its interval.
Form = Callable[[Node, float | None], Markup]


def plain(text: str) -> str:
    """Replace control characters, surrogates and `_TURNING` with U+FFFD."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
        else letter
        for letter in text
    )


def text(node: Node) -> Markup:
    """Return a text of the document as HTML, with no-break spaces before percent signs."""
    if not node:
        return Markup()
    words = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", plain(node.raw))
    return Markup('<bdi data-path="{}">{}</bdi>').format(node.path, words)


def name(words: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(plain(words))


def number(
    node: Node, form: Callable[[Any], str], unit: Markup | str = "", *, times: int = 1
) -> Markup:
    """Return a number of the document as HTML, formatted by `form`."""
    if node.raw is None:
        return Markup()
    more = Markup(' data-times="{}"').format(times) if times != 1 else ""
    shown = Markup('<data value="{}" data-path="{}"{}>{}</data>').format(
        json.dumps(node.raw), node.path, more, form(node.raw)
    )
    return Markup("{}&nbsp;{}").format(shown, unit) if unit else shown


#: Formats of counts, of chosen rates in percent (all digits), of scores, and of p-values.
count = functools.partial(number, form="{:,}".format)
setting = functools.partial(number, form=numbers.setting, unit="%", times=100)
score = functools.partial(number, form=numbers.score)
probability = functools.partial(number, form="{:.2g}".format)


def percent(node: Node, width: float | None = None, unit: str = "%") -> Markup:
    return number(node, lambda rate: numbers.percent(rate, width), unit, times=100)


def points(node: Node, width: float | None = None) -> Markup:
    return number(node, lambda gap: numbers.points(gap, width), times=100)


def quantity(node: Node, width: float | None = None, unit: str = "") -> Markup:
    return number(node, lambda value: numbers.quantity(value, width), unit)


def money(node: Node, currency: Node) -> Markup:
    return number(node, numbers.money, text(currency))


def width_of(interval: Node) -> float | None:
    return interval["high"].raw - interval["low"].raw if interval else None


def ends(interval: Node, form: Form, unit: str = "") -> Markup:
    if not interval:
        return Markup()
    low, high = (form(interval[end], width_of(interval)) for end in ("low", "high"))
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
    of = at_fmr or node["interval"]
    value = percent(node["value"], width_of(of))
    if not value:
        return Markup('<span class="none">no such pair</span>')
    interval = ends(of, lambda end, width: percent(end, width, ""), "\N{NO-BREAK SPACE}%")
    errors, trials = count(node["errors"]), count(node["trials"])
    counts = Markup('<span class="whole">{} of {}</span>').format(errors, trials)
    under = Markup(", ").join(filter(None, (interval, counts)))
    return Markup("<b>{}</b> <small>{}</small>").format(value, under)


def moment(node: Node) -> Markup:
    at = dt.datetime.fromisoformat(node.raw).astimezone(dt.UTC)
    return Markup('<time datetime="{}" data-path="{}">{} UTC</time>').format(
        node.raw, node.path, f"{at:%Y-%m-%d %H:%M}"
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

#: Fields of a `SampleSize`, by column title.
_SIZE: Final = {"People": "subjects", "Pairs": "pairs", "Mated": "mated", "Non-mated": "non_mated"}

_TIMES: Final = Markup("&nbsp;&times;")

Row = Mapping[Any, Markup | str]  # titles may be Markup, too


def head(rows: Sequence[Row]) -> list[Markup | str]:
    """Return the titles of the columns that are not empty."""
    return [title for title in rows[0] if any(row[title] for row in rows)]


def _by_system(cells: Callable[[Tables, Node], Row]) -> property:
    """Return a property: a table with a row for each system that has cells."""

    def rows(tables: Tables) -> list[Row]:
        each = [(system["name"], cells(tables, system)) for system in tables.systems]
        return [{"System": tables.name(name), **row} for name, row in each if any(row.values())]

    return property(rows, doc=cells.__doc__)


class Tables:
    def __init__(self, document: Node) -> None:
        self.document = document
        self.systems = list(document["systems"])
        self._styles = {each["name"].raw: style_of(at) for at, each in enumerate(self.systems)}
        self._has_fta = any(each["service"]["acquisition"]["errors"].raw for each in self.systems)

    def name(self, node: Node) -> Markup:
        style = self._styles.get(node.raw)
        drawn = style.swatch() if style else ""
        return Markup('<span class="system">{} {}</span>').format(drawn, text(node))

    def _fmr(self, fmr: Node) -> Markup:
        """Return an FMR, with a note if its interval is within or above the required FMR."""
        shown, ends, required = rate(fmr), fmr["interval"], self.document["required_fmr"]
        if not ends or ends["low"].raw <= required.raw < ends["high"].raw:
            return shown
        kind, words = ("good", "within") if ends["high"].raw <= required.raw else ("bad", "above")
        against = Markup(' <small class="whole {}">{} the required {}</small>')
        return shown + against.format(kind, words, setting(required))

    @_by_system
    def verdict(self, system: Node) -> Row:
        """The verdict table: a row for each system."""
        at, service = _point(system), system["service"]
        # Without a failure to acquire, every FNMR equals its FRR.
        fnmr = rate(at["fnmr"], at["fnmr_at_fmr"]) if at and self._has_fta else ""
        return {
            "Threshold": _threshold(system, at),
            "FMR: others pass": self._fmr(at["fmr"]) if at else "",
            "FRR: rejected": _frr(at),
            "FNMR: compared and rejected": fnmr,
            "FTA: of all pairs": _if_any(service["acquisition"]),
            "Price of a call": money(service["price"], service["currency"]),
            "95 of 100 calls within": _within(service, "95"),
        }

    @_by_system
    def at_fmrs(self, system: Node) -> Row:
        # All rows need the same titles, but each number has the path of its system.
        first = next((each["at_fmrs"] for each in self.systems if each["at_fmrs"]), ())
        row: dict[Markup | str, Markup | str] = {}
        for titled, each in zip(first, system["at_fmrs"], strict=False):
            at, title = each["point"], Markup("at an FMR of ") + setting(titled["fmr"])
            row["Threshold " + title] = score(at["threshold"]) if at else ""
            row["FNMR " + title] = rate(at["fnmr"], at["fnmr_at_fmr"]) if at else ""
            row["FRR " + title] = _frr(at) or _why_empty(each)
        return row

    @property
    def differences(self) -> list[Row]:
        # Only the adjusted p-value and the verdict correct for multiple comparisons.
        alone = ", these two alone" if len(self.document["differences"]) > 1 else ""
        return [
            {
                "Systems": Markup("{} <small>against</small> {}").format(
                    self.name(two["first"]), self.name(two["second"])
                ),
                "Pairs": count(two["pairs"]),
                "People": count(two["subjects"]),
                "The first rejected": _errors(two, "first"),
                "The second": _errors(two, "second"),
                f"Difference of the FRR{alone}": estimate(two["frr"], points),
                f"p{alone}": probability(two["p_value"]),
                "p for all comparisons": probability(two["p_adjusted"]),
                "Significant": _chance(two),
                "At fixed thresholds": ends(two["exact"], points),
                "p at fixed thresholds": probability(two["p_exact"]),
            }
            for two in self.document["differences"]
        ]

    @property
    def groups(self) -> list[Row]:
        cells = [(system["name"], cell) for system in self.systems for cell in system["groups"]]
        any_lost = any(cell["fta"]["errors"].raw for _, cell in cells)
        return [
            {
                "System": self.name(name),
                "Group": Markup("{}: {}").format(*map(text, (cell["column"], cell["group"]))),
                "FRR": rate(cell["frr"]),
                "Ratio of FRR": _ratio(cell["frr_ratio"]),
                "FMR": rate(cell["fmr"]),
                "Ratio of FMR": _ratio(cell["fmr_ratio"]),
                "FTA": rate(cell["fta"]) if any_lost else "",
                "Remark": text(cell["too_few"]),
            }
            for name, cell in cells
        ]

    @property
    def gaps(self) -> list[tuple[Node, Node]]:
        """The name of the system and the difference, for each difference between groups."""
        return [(each["name"], gap) for each in self.systems for gap in each["group_differences"]]

    @property
    def differentials(self) -> list[Row]:
        return [
            {
                "System": self.name(name),
                "Groups by": text(gap["column"]),
                "Rate": gap["rate"].raw.upper(),
                "Worst group": text(gap["worst"]),
                "Worst over geometric mean": quantity(gap["differential"]) + _TIMES,
            }
            for name, gap in self.gaps
            if gap["differential"].raw is not None
        ]

    @property
    def few_errors(self) -> list[tuple[Node, Node, str]]:
        """The system, rate and name of each rate with fewer errors than the rule of 30 requires."""
        return [
            (system["name"], at[name], name.upper())
            for system in self.systems
            if (at := _point(system))
            for name in ("fmr", "frr")
            if at[name]["errors"].raw < RULE_OF_30
        ]

    @_by_system
    def transactions(self, system: Node) -> Row:
        best = system["transactions"]
        if not best or not (at := _point(best)):
            return {}
        return {
            "Transactions": count(best["size"]["pairs"]),
            "Attempts, at most": count(best["attempts"]),
            "FMR": self._fmr(at["fmr"]),
            "FRR": rate(at["frr"]),
        }

    @_by_system
    def service(self, system: Node) -> Row:
        service = system["service"]
        amounts = (service[key] for key in ("price", "cost", "cost_per_verified"))
        price, cost, per_person = (money(amount, service["currency"]) for amount in amounts)
        return {
            "Calls": count(service["calls"]),
            "Not answered": _if_any(service["answered"]),
            "Reasons": _by_name(service["not_answered"]),
            "Timed": _some(service["timed"]),
            "Half within": _within(service, "50"),
            **{f"{part} of 100 within": _within(service, part) for part in ("90", "95", "99")},
            "Price of a call": price,
            "Charged for all": cost,
            "Calls per genuine person who passed": per_person,
        }

    @_by_system
    def tested(self, system: Node) -> Row:
        return {
            "Answered by": _ORIGINS[system["environment"].raw],
            "Backend": text(system["backend"]),
            "Model": text(system["model"]),
            "Scale": text(system["scale"]),
            "Gives": "scores" if system["kind"].raw == "scores" else "decisions only",
            "Without a score": _some(system["without_score"]),
            "Privacy": text(system["privacy"]),
        }

    @property
    def people(self) -> list[Row]:
        study = self.document["study"]
        parts: dict[Markup | str, Node] = {"All": study["whole"]}
        if study["calibration"]:
            parts["To choose thresholds"] = study["calibration"]
            parts["To judge them"] = study["evaluation"]
        for column, groups in study["groups"].entries:
            for group, size in groups.entries:
                parts[Markup("{}: {}").format(name(column), name(group))] = size
        return [
            {"Part": part, **{title: count(size[key]) for title, key in _SIZE.items()}}
            for part, size in parts.items()
        ]


def _point(system: Node) -> Node:
    return system["at_required"] or system["at_default"]


def _frr(at: Node) -> Markup:
    return rate(at["frr"], at["frr_at_fmr"]) if at else Markup()


def _some(node: Node) -> Markup:
    return count(node) if node.raw else Markup()


def _if_any(node: Node) -> Markup:
    return rate(node) if node["trials"].raw else Markup()


def _within(service: Node, part: str) -> Markup:
    latency = service["latency_s"]
    return quantity(latency[part], unit="s") if part in latency.raw else Markup()


def _by_name(counts: Node) -> Markup:
    each = (Markup("{}: {}").format(name(n), count(k)) for n, k in counts.entries)
    return Markup(", ").join(each)


def _threshold(system: Node, at: Node) -> Markup:
    """Return a threshold with a note on its origin, or the reason why there is none."""
    words = text(system["why_not"])
    if not at:
        return words
    threshold = score(at["threshold"])
    if threshold and not system["at_required"]:
        words = Markup("of the run. {}").format(words)
    elif at["chosen_on"].raw == "fixed":
        words = Markup("fixed")
    small = Markup(" <small>{}</small>").format(words) if words else Markup()
    return (threshold or Markup("the vendor decides")) + small


def _why_empty(each: Node) -> Markup:
    """Return how many pairs an FMR needs, or the reason why there are no rates at it."""
    if each["pairs_needed"].raw is None:
        return Markup("<small>{}</small>").format(text(each["why_not"]))
    needed = count(each["pairs_needed"])
    return Markup("<small>needs {} non-mated pairs</small>").format(needed)


def _ratio(node: Node) -> Markup:
    if not node or node["value"].raw:
        return estimate(node, quantity, _TIMES)
    high = quantity(node["interval"]["high"])
    return Markup("<small>no error: at most {}{}</small>").format(high, _TIMES)


def _errors(two: Node, which: str) -> Markup:
    if not two["frr"]:
        return Markup()
    return Markup('{} <small class="whole">{} alone</small>').format(
        count(two[f"errors_{which}"]), count(two[f"only_{which}"])
    )


def _chance(two: Node) -> Markup:
    words = Markup("no") if two["frr"] else Markup("not compared")
    if two["is_real"].raw:
        better = text(two["better"])
        words = Markup("yes: {} is better").format(better) if better else Markup("yes")
    above = Markup(" <small>{} is above the required FMR</small>")
    return words + Markup("").join(above.format(text(name)) for name in two["beyond"])


def report_html(evaluation: Evaluation) -> str:
    """Return an evaluation as one HTML page with the JSON's numbers, without scripts or requests.

    The same evaluation gives the same page, byte for byte.
    """
    document = Node(evaluation.to_dict())
    tables = Tables(document)
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return _page().render(
        document=document,
        tables=tables,
        evaluation=evaluation,
        sections=[*_sections(document, tables)],
        style=Markup(style),  # noqa: S704 - a file of ours
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def write_report(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write `report_html` to a file atomically; replace an existing file.

    Raises:
        OSError: the file cannot be written. A missing folder is not created.
    """
    write_file(path, report_html(evaluation).encode())


def _sections(document: Node, tables: Tables) -> Iterator[tuple[str, str, bool]]:
    """Yield the macro (in ``sections.html``), title and folding of each section with data."""

    def some(key: str) -> bool:
        return any(system[key] for system in tables.systems)

    headline = document["headline"].raw
    more = any(two["sentence"].raw != headline for two in document["differences"])
    of_service = ("latency_s", "not_answered", "price", "cost")
    measured = any(system["service"][key] for system in tables.systems for key in of_service)
    # Sections for a decision come first, then folded details for an analyst.
    for is_there, name, title, folded in (
        (document["caveats"], "cannot", "What this comparison cannot show", False),
        (more, "differences", "Is the difference real?", False),
        (some("curve"), "thresholds", "Scores and thresholds", False),
        (tables.at_fmrs, "fmrs", "At other false match rates", False),
        (tables.transactions, "transactions", "If people may try again", False),
        (some("groups"), "groups", "Groups of people", False),
        (measured, "service", "Availability, time and money", False),
        (document["differences"], "paired", "Differences in numbers", True),
        (tables.systems, "tested", "Who and what was tested", True),
        (True, "method", "How this was measured", True),
    ):
        if is_there:
            yield name, title, folded


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
    environment.filters |= {"plain": plain, "setting": setting}
    environment.globals |= {"plots": plots, "nothing": NOTHING}
    return environment.get_template("page.html")
