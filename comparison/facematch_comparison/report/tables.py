"""The tables of a report: each is a view of the document, made when a template asks for it.

A table leaves out columns that nobody has anything in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import attrs
from markupsafe import Markup

from . import values
from .plots import style_of
from .values import Node

#: `Environment` of a system to where its answers came from.
ORIGINS: Final = {
    "production": "the vendor",
    "sandbox": "the sandbox of the vendor",
    "mock": "a mock server",
    "local": "a matcher on this machine",
    None: "a file of scores",
}

#: Answers of these say nothing about the matcher of the vendor.
NOT_REAL: Final = ("sandbox", "mock")

#: `ThresholdRule` to which score passes.
RULES: Final = {
    "above": "scores above it pass",
    "at_least": "this score and higher ones pass",
    "vendor": "the vendor decides",
}

_CHOSEN_ON: Final = {
    "calibration": "required FMR, chosen on other people",
    "evaluation": "required FMR, chosen on these pairs",
    "default": "of the run",
}

_TIMES: Final = Markup("&nbsp;&times;")

Cell = Markup | str | None


@attrs.frozen
class Table:
    """A table: what is None in every row has no column, and a row begins with its header.

    ``cards`` are laid out one row under the other in a narrow window, others scroll by themselves.
    """

    name: str
    caption: Markup | str
    head: list[str]
    rows: list[list[Cell]]
    kind: str = "cards"

    def __attrs_post_init__(self) -> None:
        empty = {
            place
            for place in range(len(self.head))
            if self.rows and all(row[place] is None for row in self.rows)
        }
        self.head[:] = [title for place, title in enumerate(self.head) if place not in empty]
        for row in self.rows:
            row[:] = [cell for place, cell in enumerate(row) if place not in empty]

    def __bool__(self) -> bool:
        return bool(self.rows)


class Tables:
    """The tables of one document. Each is made when a template asks for it."""

    def __init__(self, it: Node, ids: str) -> None:
        self.it, self.ids = it, ids
        self.systems = list(it["systems"])
        self.currency = it["costs"]["currency"] if it["costs"] else None
        self.confidence = values.setting(it["confidence"])

    def system(self, place: int) -> Markup:
        """The name of a system, with how it is drawn."""
        name = values.text(self.systems[place]["name"])
        return Markup("{} {}").format(style_of(place).swatch(), name)

    def named(self, name: Node) -> Markup:
        """A name of a system elsewhere in the document, with how it is drawn."""
        places = (at for at, one in enumerate(self.systems) if one["name"].raw == name.raw)
        place = next(places, None)
        drawn = "" if place is None else style_of(place).swatch()
        return Markup('<span class="system">{} {}</span>').format(drawn, values.text(name))

    def point(self, one: Node) -> Node | None:
        """Where a system is judged: at the required FMR if that can be had, else as it was run."""
        return one["at_required"] or one["at_default"] or None

    def fmr(self, rate: Node) -> Markup:
        """An FMR with its interval, as 1 in N, and against what is required."""
        return values.rate(rate, values.about_one_in(rate)) + self._against(rate)

    def _against(self, rate: Node) -> Markup:
        ends, required = rate["interval"], self.it["required_fmr"]
        # Without an error the cell already ends with "could be as high as 1 in N".
        says_could = not rate["errors"].raw and values.about_one_in(rate) is not None
        if not ends or rate["value"].raw is None:
            return Markup("")
        kind, words = (
            ("bad", "above the required")
            if ends["low"].raw > required.raw
            else ("good", "within the required")
            if ends["high"].raw <= required.raw
            else ("", "above your" if says_could else "could be above your")
        )
        return Markup(' <small class="whole {}">{} {}</small>').format(
            kind, words, values.setting(required)
        )

    def threshold(self, at: Node) -> Markup:
        """A threshold, or that there is none to say."""
        if at["threshold"].raw is None:
            return Markup("the vendor decides")
        return values.score(at["threshold"])

    @property
    def verdict(self) -> Table:
        """One row for each system: all that a choice needs first."""
        rows = [self._verdict(place, one) for place, one in enumerate(self.systems)]
        rows = [row for row in rows if any(cell is not None for cell in row[1:])]
        return Table(
            f"{self.ids}verdict",
            Markup(
                "Each system at its threshold; below a rate: where the true one lies, "
                "with {} confidence"
            ).format(self.confidence),
            [
                "System",
                "Threshold",
                "FMR: others pass",
                "FRR: turned away",
                "FTA: failure to acquire",
                "Cost of an attempt",
                "Price of a call",
                "95 of 100 calls within",
            ],
            rows,
        )

    def _verdict(self, place: int, one: Node) -> list[Cell]:
        at, service = self.point(one), one["service"]
        cost = one["cost"] and (one["cost"]["at_required" if one["at_required"] else "at_default"])
        head = self.system(place)
        if one["environment"].raw in NOT_REAL:
            head += Markup(' <small class="open">{}</small>').format(
                ORIGINS[one["environment"].raw]
            )
        cells: list[Cell] = [head, None, None, None, None, None, None, None]
        if at:
            of_run = not one["at_required"] and at["threshold"].raw is not None
            cells[1] = self.threshold(at) + (Markup(" <small>of the run</small>") * of_run)
            cells[2:4] = self.fmr(at["fmr"]), _counted(at["frr"])
        if service["acquisition"]["value"].raw is not None:
            cells[4] = _counted(service["acquisition"])
        if cost:
            cells[5] = self.money(cost["expected"])
        if service["price"].raw is not None:
            cells[6] = values.money(service["price"], service["currency"])
        if "95" in service["latency_s"].raw:
            cells[7] = values.seconds(service["latency_s"]["95"])
        return cells

    def money(self, estimate: Node) -> Markup | None:
        """An amount with its interval, in the currency of the costs."""
        unit = Markup("&nbsp;{}").format(values.text(self.currency)) if self.currency else ""
        return values.estimate(estimate, lambda node, width: values.money(node, None, width), unit)

    @property
    def differences(self) -> Table:
        """Every two systems on the same mated pairs."""
        return Table(
            "differences-table",
            Markup(
                "FRR of the first less that of the second, in percentage points, with {} intervals"
            ).format(self.confidence),
            [
                "Systems",
                "Pairs",
                "People",
                "The first turned away",
                "The second",
                "Difference of the FRR",
                "p",
                "p for all comparisons",
                "Beyond chance",
                "At fixed thresholds",
                "p at fixed thresholds",
                "Difference in cost",
            ],
            [
                [
                    Markup("{} <small>against</small> {}").format(
                        self.named(two["first"]), self.named(two["second"])
                    ),
                    values.count(two["pairs"]),
                    values.count(two["subjects"]),
                    *(
                        Markup('{} <small class="whole">{} alone</small>').format(
                            values.count(two[f"errors_{which}"]), values.count(two[f"only_{which}"])
                        )
                        for which in ("first", "second")
                    ),
                    values.estimate(two["frr"], values.points),
                    _unless_none(two["p_value"], values.probability),
                    _unless_none(two["p_adjusted"], values.probability),
                    _chance(two),
                    _ends(two["exact"], values.points),
                    _unless_none(two["p_exact"], values.probability),
                    self.money(two["cost"]),
                ]
                for two in self.it["differences"]
            ],
        )

    @property
    def costs(self) -> Table:
        """What an attempt costs at the operating points of each system."""
        kinds = (("at_required", "for the required FMR"), ("at_default", "of the run"))
        return Table(
            "costs-table",
            Markup("Expected cost of one attempt, with {} intervals").format(self.confidence),
            [
                "System",
                "Threshold",
                "Cost of an attempt",
                "False matches",
                "False rejections",
                "Reviews",
                "Calls",
            ],
            [
                [
                    self.system(place),
                    Markup("{} <small>{}</small>").format(self.threshold(at), words),
                    self.money(at["expected"]),
                    *(
                        values.money(at[part])
                        for part in ("false_matches", "false_rejects", "reviews")
                    ),
                    values.NOTHING
                    if one["service"]["price"].raw is None
                    else values.money(at["calls"]),
                ]
                for place, one in enumerate(self.systems)
                if one["cost"]
                for kind, words in kinds
                if (at := one["cost"][kind])
            ],
        )

    @property
    def group_differences(self) -> Table:
        """How far groups differ."""
        return Table(
            "group-differences",
            Markup("The group with the highest rate against the one with the lowest"),
            [
                "System",
                "Groups",
                "Rate",
                "Highest",
                "Lowest",
                "Ratio",
                "Shown: at least",
                "p",
                "Beyond chance",
            ],
            [
                [
                    self.system(place),
                    values.text(found["column"]),
                    found["rate"].raw.upper(),
                    values.text(found["worst"]),
                    values.text(found["best"]),
                    _unless_none(found["ratio"], values.ratio),
                    values.ratio(found["at_least"]),
                    _unless_none(found["p_value"], values.probability),
                    "yes" if found["is_real"].raw else "not shown",
                ]
                for place, one in enumerate(self.systems)
                for found in one["group_differences"]
            ],
        )

    @property
    def groups(self) -> Table:
        """Every group of every system."""
        return Table(
            "groups-table",
            Markup(
                "Rates of each group, with {} intervals, and their ratio to all groups together"
            ).format(self.confidence),
            ["System", "Group", "FRR", "Ratio of FRR", "FMR", "Ratio of FMR", "Remark"],
            [
                [
                    self.system(place),
                    Markup("{}: {}").format(
                        values.text(cell["column"]), values.text(cell["group"])
                    ),
                    _counted(cell["frr"]),
                    values.estimate(cell["frr_ratio"], values.quantity, _TIMES),
                    _counted(cell["fmr"]),
                    values.estimate(cell["fmr_ratio"], values.quantity, _TIMES),
                    values.text(cell["too_few"]) if cell["too_few"] else None,
                ]
                for place, one in enumerate(self.systems)
                for cell in one["groups"]
            ],
        )

    @property
    def concentration(self) -> Table:
        """How far false matches come from few people."""
        return Table(
            "concentration-table",
            "False matches, and how many of them the same people are in",
            ["System", "False matches", "People in them", "Worst person is in", "Worst ten are in"],
            [
                [
                    self.system(place),
                    values.count(found["false_matches"]),
                    values.count(found["people"]),
                    values.percent(found["worst_person"]),
                    values.percent(found["worst_ten"]),
                ]
                for place, one in enumerate(self.systems)
                if (found := one["concentration"])
            ],
        )

    @property
    def run(self) -> Table:
        """What the thresholds of the run come to."""
        return Table(
            "run-table",
            Markup("At the threshold of the run, with {} intervals").format(self.confidence),
            ["System", "Threshold", "FMR", "FRR"],
            [
                [
                    self.system(place),
                    self.threshold(at)
                    if at["threshold"].raw is None
                    else Markup("{} <small>{}</small>").format(
                        self.threshold(at), RULES[at["rule"].raw]
                    ),
                    self.fmr(at["fmr"]),
                    _counted(at["frr"]),
                ]
                for place, one in enumerate(self.systems)
                if (at := one["at_default"])
            ],
        )

    def curve(self, place: int) -> Table:
        """A curve as a table."""
        curve = self.systems[place]["curve"]

        def ends(rate: str, at: int) -> tuple[Markup, Markup]:
            low, high = curve[f"{rate}_low"][at], curve[f"{rate}_high"][at]
            width = high.raw - low.raw
            return values.percent(curve[rate][at], width), Markup(
                '<span class="interval">{} to {}</span>'
            ).format(values.percent(low, width), values.percent(high, width))

        return Table(
            f"curve-{place}",
            Markup("Rates of {} at thresholds, with {} intervals").format(
                values.text(self.systems[place]["name"]), values.setting(curve["confidence"])
            ),
            ["Threshold", "FMR", "Interval", "FNMR", "Interval", "FRR", "Interval"],
            [
                [values.score(threshold), *ends("fmr", at), *ends("fnmr", at), *ends("frr", at)]
                for at, threshold in enumerate(curve["thresholds"])
            ],
            kind="data",
        )

    def histogram(self, place: int) -> Table:
        """A histogram as a table."""
        spread = self.systems[place]["histogram"]
        return Table(
            f"spread-{place}",
            Markup("How many scores of {} lie from one number to the next").format(
                values.text(self.systems[place]["name"])
            ),
            ["From", "to", "Mated", "Non-mated"],
            [
                [
                    values.score(spread["edges"][at]),
                    values.score(spread["edges"][at + 1]),
                    values.count(mated),
                    values.count(spread["non_mated"][at]),
                ]
                for at, mated in enumerate(spread["mated"])
            ],
            kind="data",
        )

    @property
    def service(self) -> Table:
        """Availability, time and money."""
        rows: list[list[Cell]] = []
        for place, one in enumerate(self.systems):
            service = one["service"]
            latency, currency = service["latency_s"], service["currency"]
            reasons = [
                Markup("{}: {}").format(values.name(reason), values.count(times))
                for reason, times in service["not_answered"].entries
            ]
            rows.append(
                [
                    self.system(place),
                    values.count(service["calls"]),
                    _counted(service["answered"]) if service["answered"]["trials"].raw else None,
                    Markup(", ").join(reasons) if reasons else None,
                    values.count(service["timed"]) if service["timed"].raw else None,
                    *(
                        values.seconds(latency[part]) if part in latency.raw else None
                        for part in ("50", "90", "95", "99")
                    ),
                    *(
                        _unless_none(
                            service[part], functools.partial(values.money, currency=currency)
                        )
                        for part in ("price", "cost", "cost_per_verified")
                    ),
                ]
            )
        return Table(
            "service-table",
            "Calls of the run: how long they took, and what was charged",
            [
                "System",
                "Calls",
                "Not answered",
                "Why not",
                "Timed",
                "Half within",
                "90 of 100 within",
                "95 of 100 within",
                "99 of 100 within",
                "Price of a call",
                "Charged for all",
                "Per genuine person who passed",
            ],
            rows,
        )

    @property
    def rates(self) -> Table:
        """Every rate with everything that it is made of."""
        names = ("fmr", "fnmr", "far", "frr", "calibration_fmr")
        return Table(
            "rates-table",
            Markup("Rates, with {} intervals").format(self.confidence),
            [
                "System",
                "Threshold",
                "Rate",
                "Errors",
                "Trials",
                "People",
                "Value",
                "Interval",
                "Kind of interval",
                "Worth independent pairs",
            ],
            [
                [
                    self.system(place),
                    Markup("{} <small>{}</small>").format(
                        self.threshold(at), _CHOSEN_ON.get(at["chosen_on"].raw, "")
                    ),
                    "FMR where it was chosen" if name == "calibration_fmr" else name.upper(),
                    values.count(rate["errors"]),
                    values.count(rate["trials"]),
                    _unless_none(rate["subjects"], values.count),
                    values.percent(rate["value"], values.width_of(rate["interval"])),
                    values.interval(rate["interval"]) if rate["interval"] else None,
                    rate["interval"]["method"].raw if rate["interval"] else None,
                    _unless_none(rate["interval"]["effective"], values.quantity)
                    if rate["interval"]
                    else None,
                ]
                for place, one in enumerate(self.systems)
                for at in (one["at_required"], one["at_default"])
                if at
                for name in names
                if (rate := at[name])
            ],
            kind="wide",
        )

    @property
    def tested(self) -> Table:
        """The systems: where answers came from, and what is known of privacy."""
        return Table(
            "tested-table",
            "The systems",
            [
                "System",
                "Answered by",
                "Backend and model",
                "Scale",
                "Gives",
                "Without a score",
                "Other models in the run",
                "Privacy",
            ],
            [
                [
                    self.system(place),
                    ORIGINS[one["environment"].raw],
                    Markup(", ").join(map(values.text, known))
                    if (known := [one[key] for key in ("backend", "model") if one[key]])
                    else None,
                    values.text(one["scale"]) if one["scale"] else None,
                    "scores" if one["kind"].raw == "scores" else "decisions only",
                    values.count(one["without_score"]) if one["without_score"].raw else None,
                    Markup(", ").join(
                        Markup("{}: {}").format(values.name(model), values.count(times))
                        for model, times in one["other_models"].entries
                    )
                    if one["other_models"]
                    else None,
                    values.text(one["privacy"]),
                ]
                for place, one in enumerate(self.systems)
            ],
        )

    @property
    def people(self) -> Table:
        """How large the test set and its groups are."""
        study = self.it["study"]
        parts: list[tuple[Cell, Node]] = [("All", study["whole"])]
        if study["calibration"]:
            parts += [
                ("To choose thresholds", study["calibration"]),
                ("To judge them", study["evaluation"]),
            ]
        parts += [
            (Markup("{}: {}").format(values.name(column), values.name(group)), size)
            for column, groups in study["groups"].entries
            for group, size in groups.entries
        ]
        return Table(
            "people-table",
            "People and pairs; of a group, the pairs within it",
            ["Part", "People", "Pairs", "Mated", "Non-mated"],
            [
                [
                    words,
                    *(values.count(size[k]) for k in ("subjects", "pairs", "mated", "non_mated")),
                ]
                for words, size in parts
            ],
            kind="data",
        )


def _chance(two: Node) -> Markup:
    """Whether a difference is real, and who passes more than is allowed."""
    words = Markup("not shown")
    if two["is_real"].raw:
        better = two["better"]
        words = Markup("yes: {} is better").format(values.text(better)) if better else Markup("yes")
    return words + Markup("").join(
        Markup(" <small>{} is above the required FMR</small>").format(values.text(name))
        for name in two["beyond"]
    )


def _unless_none(node: Node, how: Callable[[Node], Markup]) -> Markup | None:
    return None if node.raw is None else how(node)


def _counted(rate: Node) -> Markup:
    """A rate with its interval and counts."""
    return values.rate(rate, values.counts(rate))


def _ends(interval: Node, how: Callable[[Node, float | None], Markup]) -> Markup | None:
    if not interval:
        return None
    width = values.width_of(interval)
    return Markup('<span class="interval">{} to {}</span>').format(
        how(interval["low"], width), how(interval["high"], width)
    )
