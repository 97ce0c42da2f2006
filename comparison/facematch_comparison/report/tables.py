"""The tables of a report, built from the JSON document when a template needs them.

A table is a list of rows; a row maps column titles to cells, and its first cell is its name. Rows
without any other cell are omitted. The captions are in ``templates``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from . import values
from .plots import style_of
from .values import Node

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

#: Counts of a part of the test set, by the title of their column.
_SIZE: Final = {"People": "subjects", "Pairs": "pairs", "Mated": "mated", "Non-mated": "non_mated"}

_TIMES: Final = Markup("&nbsp;&times;")

Row = Mapping[Any, Markup | str]  # titles may be Markup, too


def head(rows: Sequence[Row]) -> list[Markup | str]:
    """Return the titles of the columns that are not empty."""
    return [title for title in rows[0] if any(row[title] for row in rows)]


def _by_system(cells: Callable[[Tables, Node], Row]) -> property:
    """Make a table with a row for each system that has cells."""

    def rows(tables: Tables) -> list[Row]:
        each = [(system["name"], cells(tables, system)) for system in tables.systems]
        return [{"System": tables.name(name), **row} for name, row in each if any(row.values())]

    return property(rows, doc=cells.__doc__)


class Tables:
    def __init__(self, document: Node) -> None:
        self.document = document
        self.systems = list(document["systems"])
        self._styles = {each["name"].raw: style_of(at) for at, each in enumerate(self.systems)}

    def name(self, node: Node) -> Markup:
        style = self._styles.get(node.raw)
        drawn = style.swatch() if style else ""
        return Markup('<span class="system">{} {}</span>').format(drawn, values.text(node))

    def _fmr(self, rate: Node) -> Markup:
        """Return an FMR; say if its interval is within or above the required FMR."""
        shown, ends, required = values.rate(rate), rate["interval"], self.document["required_fmr"]
        if not ends or ends["low"].raw <= required.raw < ends["high"].raw:
            return shown
        kind, words = ("good", "within") if ends["high"].raw <= required.raw else ("bad", "above")
        against = Markup(' <small class="whole {}">{} the required {}</small>')
        return shown + against.format(kind, words, values.setting(required))

    @_by_system
    def verdict(self, system: Node) -> Row:
        """The verdict table: a row for each system."""
        at, service = _point(system), system["service"]
        return {
            "Threshold": _threshold(system, at),
            "FMR: others pass": self._fmr(at["fmr"]) if at else "",
            "FRR: turned away": _frr(at),
            "FTA: failure to acquire": _if_any(service["acquisition"]),
            "Price of a call": values.money(service["price"], service["currency"]),
            "95 of 100 calls within": _within(service, "95"),
        }

    @_by_system
    def at_fmrs(self, system: Node) -> Row:
        # Every row needs the same titles, and a number has the path of its system.
        first = next((each["at_fmrs"] for each in self.systems if each["at_fmrs"]), ())
        row: dict[Markup | str, Markup | str] = {}
        for titled, each in zip(first, system["at_fmrs"], strict=False):
            at, title = each["point"], Markup("at an FMR of ") + values.setting(titled["fmr"])
            row["Threshold " + title] = values.score(at["threshold"]) if at else ""
            row["FNMR " + title] = values.rate(at["fnmr"], at["fnmr_at_fmr"]) if at else ""
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
                "Pairs": values.count(two["pairs"]),
                "People": values.count(two["subjects"]),
                "The first turned away": _errors(two, "first"),
                "The second": _errors(two, "second"),
                f"Difference of the FRR{alone}": values.estimate(two["frr"], values.points),
                f"p{alone}": values.probability(two["p_value"]),
                "p for all comparisons": values.probability(two["p_adjusted"]),
                "Significant": _chance(two),
                "At fixed thresholds": values.ends(two["exact"], values.points),
                "p at fixed thresholds": values.probability(two["p_exact"]),
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
                "Group": Markup("{}: {}").format(
                    *map(values.text, (cell["column"], cell["group"]))
                ),
                "FRR": values.rate(cell["frr"]),
                "Ratio of FRR": _ratio(cell["frr_ratio"]),
                "FMR": values.rate(cell["fmr"]),
                "Ratio of FMR": _ratio(cell["fmr_ratio"]),
                "FTA": values.rate(cell["fta"]) if any_lost else "",
                "Remark": values.text(cell["too_few"]),
            }
            for name, cell in cells
        ]

    @property
    def gaps(self) -> list[tuple[Node, Node]]:
        """The differences between groups: name of the system, and difference."""
        return [(each["name"], gap) for each in self.systems for gap in each["group_differences"]]

    @property
    def differentials(self) -> list[Row]:
        return [
            {
                "System": self.name(name),
                "Groups by": values.text(gap["column"]),
                "Rate": gap["rate"].raw.upper(),
                "Worst group": values.text(gap["worst"]),
                "Worst over geometric mean": values.quantity(gap["differential"]) + _TIMES,
            }
            for name, gap in self.gaps
            if gap["differential"].raw is not None
        ]

    @property
    def few_errors(self) -> list[tuple[Node, Node, str]]:
        """The rates with fewer errors than the rule of 30 requires: system, rate, name."""
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
            "Transactions": values.count(best["size"]["pairs"]),
            "Attempts, at most": values.count(best["attempts"]),
            "FMR": self._fmr(at["fmr"]),
            "FRR": values.rate(at["frr"]),
        }

    @_by_system
    def service(self, system: Node) -> Row:
        service = system["service"]
        price, cost, per_person = (
            values.money(service[key], service["currency"])
            for key in ("price", "cost", "cost_per_verified")
        )
        return {
            "Calls": values.count(service["calls"]),
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
            "Backend": values.text(system["backend"]),
            "Model": values.text(system["model"]),
            "Scale": values.text(system["scale"]),
            "Gives": "scores" if system["kind"].raw == "scores" else "decisions only",
            "Without a score": _some(system["without_score"]),
            "Privacy": values.text(system["privacy"]),
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
                parts[Markup("{}: {}").format(values.name(column), values.name(group))] = size
        return [
            {"Part": part, **{title: values.count(size[key]) for title, key in _SIZE.items()}}
            for part, size in parts.items()
        ]


def _point(system: Node) -> Node:
    return system["at_required"] or system["at_default"]


def _frr(at: Node) -> Markup:
    return values.rate(at["frr"], at["frr_at_fmr"]) if at else Markup()


def _some(count: Node) -> Markup:
    return values.count(count) if count.raw else Markup()


def _if_any(rate: Node) -> Markup:
    return values.rate(rate) if rate["trials"].raw else Markup()


def _within(service: Node, part: str) -> Markup:
    latency = service["latency_s"]
    return values.quantity(latency[part], unit="s") if part in latency.raw else Markup()


def _by_name(counts: Node) -> Markup:
    each = (Markup("{}: {}").format(values.name(n), values.count(k)) for n, k in counts.entries)
    return Markup(", ").join(each)


def _threshold(system: Node, at: Node) -> Markup:
    """Return a threshold with a note on its origin, or the reason why there is none."""
    words = values.text(system["why_not"])
    if not at:
        return words
    threshold = values.score(at["threshold"])
    if threshold and not system["at_required"]:
        words = Markup("of the run. {}").format(words)
    elif at["chosen_on"].raw == "fixed":
        words = Markup("fixed")
    small = Markup(" <small>{}</small>").format(words) if words else Markup()
    return (threshold or Markup("the vendor decides")) + small


def _why_empty(each: Node) -> Markup:
    """Return how many pairs an FMR needs, or the reason why there are no rates at it."""
    if each["pairs_needed"].raw is None:
        return Markup("<small>{}</small>").format(values.text(each["why_not"]))
    needed = values.count(each["pairs_needed"])
    return Markup("<small>takes {} non-mated pairs</small>").format(needed)


def _ratio(estimate: Node) -> Markup:
    if not estimate or estimate["value"].raw:
        return values.estimate(estimate, values.quantity, _TIMES)
    high = values.quantity(estimate["interval"]["high"])
    return Markup("<small>no error: at most {}{}</small>").format(high, _TIMES)


def _errors(two: Node, which: str) -> Markup:
    if not two["frr"]:
        return Markup()
    return Markup('{} <small class="whole">{} alone</small>').format(
        values.count(two[f"errors_{which}"]), values.count(two[f"only_{which}"])
    )


def _chance(two: Node) -> Markup:
    words = Markup("no") if two["frr"] else Markup("not compared")
    if two["is_real"].raw:
        better = values.text(two["better"])
        words = Markup("yes: {} is better").format(better) if better else Markup("yes")
    above = Markup(" <small>{} is above the required FMR</small>")
    return words + Markup("").join(above.format(values.text(name)) for name in two["beyond"])
