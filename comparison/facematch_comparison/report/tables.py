"""The tables of a report, built from the JSON document when a template needs them.

A row maps column titles to cells; the first cell is the name of the row. Empty rows and columns are
omitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

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

_TIMES: Final = Markup("&nbsp;&times;")

Row = Mapping[Any, Markup | str]  # titles may be Markup, too


class Table(NamedTuple):
    """A table. In a narrow window, kind ``cards`` stacks its rows and kind ``data`` scrolls."""

    name: str
    caption: Markup
    rows: list[Row]
    kind: str

    @property
    def head(self) -> list[Markup | str]:
        """Titles of the non-empty columns."""
        return [title for title in self.rows[0] if any(row[title] for row in self.rows)]

    def __bool__(self) -> bool:
        return bool(self.rows)


class Tables:
    def __init__(self, document: Node, ids: str) -> None:
        self.document, self.ids = document, ids
        self.systems = list(document["systems"])
        self.confidence = values.setting(document["confidence"])

    def _table(self, name: str, words: str, rows: Sequence[Row], kind: str = "cards") -> Table:
        """Return a table without empty rows; the confidence replaces ``{}`` in the caption."""
        caption = Markup(words).format(self.confidence)  # noqa: S704 - ours
        return Table(name, caption, [row for row in rows if any([*row.values()][1:])], kind)

    def _name(self, node: Node) -> Markup:
        places = (at for at, system in enumerate(self.systems) if system["name"].raw == node.raw)
        place = next(places, None)
        drawn = "" if place is None else style_of(place).swatch()
        return Markup('<span class="system">{} {}</span>').format(drawn, values.text(node))

    def _fmr(self, rate: Node) -> Markup:
        """Return an FMR; say if its interval is within or above the required FMR."""
        shown, ends, required = values.rate(rate), rate["interval"], self.document["required_fmr"]
        if not ends or ends["low"].raw <= required.raw < ends["high"].raw:
            return shown
        kind, words = ("good", "within") if ends["high"].raw <= required.raw else ("bad", "above")
        against = Markup(' <small class="whole {}">{} the required {}</small>')
        return shown + against.format(kind, words, values.setting(required))

    @property
    def verdict(self) -> Table:
        """The verdict table: a row for each system."""
        rows = [
            {
                "System": self._name(system["name"]),
                "Threshold": _threshold(system, at),
                "FMR: others pass": self._fmr(at["fmr"]) if at else "",
                "FRR: turned away": _frr(at),
                "FTA: failure to acquire": _if_any(service["acquisition"]),
                "Price of a call": values.money(service["price"], service["currency"]),
                "95 of 100 calls within": _within(service["latency_s"], "95"),
            }
            for system in self.systems
            for at, service in [(_point(system), system["service"])]
        ]
        words = "Each system at its threshold, with {} intervals of the true rates"
        if any(at and at["frr_at_fmr"] for at in (each["at_required"] for each in self.systems)):
            words += "; the interval of the FRR is at the required FMR"
        return self._table(f"{self.ids}verdict", words, rows)

    @property
    def at_fmrs(self) -> Table:
        first = next((system["at_fmrs"] for system in self.systems if system["at_fmrs"]), ())
        titles = [Markup("at an FMR of {}").format(values.setting(each["fmr"])) for each in first]
        rows = []
        for system in self.systems:
            row: dict[str, Markup | str] = {"System": self._name(system["name"])}
            for title, each in zip(titles, system["at_fmrs"], strict=False):
                at = each["point"]
                row["Threshold " + title] = values.score(at["threshold"]) if at else ""
                row["FNMR " + title] = values.rate(at["fnmr"], at["fnmr_at_fmr"]) if at else ""
                row["FRR " + title] = _frr(at) or _why_empty(each)
            rows.append(row)
        words = "Each system at its thresholds for other false match rates, with {} intervals"
        return self._table("fmrs-table", words, rows)

    @property
    def differences(self) -> Table:
        words = "FRR of the first minus FRR of the second, in percentage points, with {} intervals"
        # Only the adjusted p-value and the verdict correct for multiple comparisons.
        alone = ", these two alone" if len(self.document["differences"]) > 1 else ""
        rows = [
            {
                "Systems": Markup("{} <small>against</small> {}").format(
                    self._name(two["first"]), self._name(two["second"])
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
        return self._table("differences-table", words, rows)

    @property
    def groups(self) -> Table:
        cells = [cell for system in self.systems for cell in system["groups"]]
        any_lost = any(cell["fta"]["errors"].raw for cell in cells)
        rows = [
            {
                "System": self._name(system["name"]),
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
            for system in self.systems
            for cell in system["groups"]
        ]
        words = "Rates of each group, with {} intervals, and their ratio to all pairs within groups"
        return self._table("groups-table", words, rows)

    @property
    def differentials(self) -> Table:
        rows = [
            {
                "System": self._name(system["name"]),
                "Groups by": values.text(gap["column"]),
                "Rate": gap["rate"].raw.upper(),
                "Worst group": values.text(gap["worst"]),
                "Worst over geometric mean": values.quantity(gap["differential"]) + _TIMES,
            }
            for system in self.systems
            for gap in system["group_differences"]
            if gap["differential"].raw is not None
        ]
        words = "The highest rate over the geometric mean of all groups (ISO/IEC 19795-10)"
        return self._table("differentials-table", words, rows)

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

    @property
    def transactions(self) -> Table:
        rows = [
            {
                "System": self._name(system["name"]),
                "Transactions": values.count(best["size"]["pairs"]),
                "Attempts, at most": values.count(best["attempts"]),
                "FMR": self._fmr(at["fmr"]),
                "FRR": values.rate(at["frr"]),
            }
            for system in self.systems
            if (best := system["transactions"]) and (at := _point(best))
        ]
        words = "The best attempt of each transaction counts, with {} intervals"
        return self._table("transactions-table", words, rows)

    def gaps(self, is_real: bool) -> list[tuple[Node, Node]]:
        """Return systems with their sentences on group differences, significant or not."""
        return [
            (system["name"], gap["sentence"])
            for system in self.systems
            for gap in system["group_differences"]
            if gap["is_real"].raw is is_real
        ]

    @property
    def service(self) -> Table:
        per_person = "Calls per genuine person who passed"
        rows = [
            {
                "System": self._name(system["name"]),
                "Calls": values.count(service["calls"]),
                "Not answered": _if_any(service["answered"]),
                "Reasons": _by_name(service["not_answered"]),
                "Timed": _some(service["timed"]),
                "Half within": _within(service["latency_s"], "50"),
                "90 of 100 within": _within(service["latency_s"], "90"),
                "95 of 100 within": _within(service["latency_s"], "95"),
                "99 of 100 within": _within(service["latency_s"], "99"),
                "Price of a call": values.money(service["price"], service["currency"]),
                "Charged for all": values.money(service["cost"], service["currency"]),
                per_person: values.money(service["cost_per_verified"], service["currency"]),
            }
            for system in self.systems
            for service in [system["service"]]
        ]
        words = "Duration and cost of the calls of the run"
        return self._table("service-table", words, rows)

    @property
    def tested(self) -> Table:
        rows = [
            {
                "System": self._name(system["name"]),
                "Answered by": _ORIGINS[system["environment"].raw],
                "Backend": values.text(system["backend"]),
                "Model": values.text(system["model"]),
                "Scale": values.text(system["scale"]),
                "Gives": "scores" if system["kind"].raw == "scores" else "decisions only",
                "Without a score": _some(system["without_score"]),
                "Privacy": values.text(system["privacy"]),
            }
            for system in self.systems
        ]
        return self._table("tested-table", "The systems", rows)

    @property
    def people(self) -> Table:
        study = self.document["study"]
        parts: list[tuple[Markup | str, Node]] = [("All", study["whole"])]
        if study["calibration"]:
            parts.append(("To choose thresholds", study["calibration"]))
            parts.append(("To judge them", study["evaluation"]))
        parts += [
            (Markup("{}: {}").format(values.name(column), values.name(group)), size)
            for column, groups in study["groups"].entries
            for group, size in groups.entries
        ]
        counts = {"People": "subjects", "Pairs": "pairs", "Mated": "mated"}
        counts["Non-mated"] = "non_mated"
        rows: list[Row] = [
            {"Part": part, **{title: values.count(size[key]) for title, key in counts.items()}}
            for part, size in parts
        ]
        words = "People and pairs; for a group, the pairs within it"
        return self._table("people-table", words, rows, kind="data")


def _point(system: Node) -> Node:
    return system["at_required"] or system["at_default"]


def _frr(at: Node) -> Markup:
    return values.rate(at["frr"], at["frr_at_fmr"]) if at else Markup()


def _some(count: Node) -> Markup:
    return values.count(count) if count.raw else Markup()


def _if_any(rate: Node) -> Markup:
    return values.rate(rate) if rate["trials"].raw else Markup()


def _within(latency: Node, part: str) -> Markup:
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
    return Markup('{} <small class="whole">{} alone</small>').format(
        values.count(two[f"errors_{which}"]), values.count(two[f"only_{which}"])
    )


def _chance(two: Node) -> Markup:
    words = Markup("no")
    if two["is_real"].raw:
        better = values.text(two["better"])
        words = Markup("yes: {} is better").format(better) if better else Markup("yes")
    above = Markup(" <small>{} is above the required FMR</small>")
    return words + Markup("").join(above.format(values.text(name)) for name in two["beyond"])
