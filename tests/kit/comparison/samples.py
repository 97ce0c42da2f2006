"""Made-up evaluations for the report, put together by hand: with every part, and with none."""

import datetime as dt
import functools
import itertools
import math
from statistics import NormalDist

import attrs

from facematch_comparison.model import (
    Caveat,
    Concentration,
    CostAt,
    Costs,
    CrossGroup,
    Curve,
    Difference,
    Estimate,
    Evaluation,
    ExpectedCost,
    GroupCell,
    GroupDifference,
    Histogram,
    Interval,
    Method,
    OperatingPoint,
    PointAt,
    Rate,
    SampleSize,
    Service,
    StudySummary,
    System,
)
from facematch_core import Environment, ThresholdRule

MADE_AT = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)

#: A name that tries everything: ends of elements, quotes, entities, templates, formulas, a turn of
#: direction, letters of another script, new lines, and 200 letters without a place to break.
HOSTILE = (
    '</script></style></title><img src=x onerror="alert(1)">\'"&amp;{{ 7*7 }}{% raw %}$\\frac1{0}$'
    "\u202eturned\u202c \u05e9\u05dc\u05d5\u05dd \x00\x07\n\r" + "w" * 200
)


def around(errors, trials, method=Method.CLUSTERED):
    """Wilson's interval: near enough for a page."""
    z, n = 1.96, trials
    share = errors / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if errors == 0 else max(0.0, middle - half)
    high = 1.0 if errors == trials else min(1.0, middle + half)
    return Interval(low=low, high=high, confidence=0.95, method=method, effective=0.7 * n)


def rate(errors, trials, *, interval=True):
    """A rate with its interval, or without one."""
    return Rate(
        errors=errors,
        trials=trials,
        subjects=300 if trials else None,
        interval=around(errors, trials) if interval and trials else None,
    )


def estimate(value, half):
    """A number with an interval around it."""
    ends = Interval(low=value - half, high=value + half, confidence=0.95, method=Method.BOOTSTRAP)
    return Estimate(value=value, interval=ends)


def point(false, others, refused, mated, *, threshold=60.83, chosen_on="evaluation", failed=0):
    """An operating point of whole numbers."""
    return OperatingPoint(
        threshold=threshold,
        rule=ThresholdRule.VENDOR if threshold is None else ThresholdRule.ABOVE,
        chosen_on=chosen_on,
        fmr=rate(false, others),
        fnmr=rate(refused - failed, mated - failed),
        far=rate(false, others),
        frr=rate(refused, mated),
        calibration_fmr=rate(false, others) if chosen_on == "calibration" else None,
    )


class Made:
    """One system whose scores follow two normal distributions: its points lie on its curve.

    Args:
        mean: Of the scores of mated pairs; those of others lie about 25.
        mated, others: How many pairs there are.
        failed: How many mated pairs were not acquired.
    """

    def __init__(self, mean, *, mated=2000, others=16000, failed=8):
        self.genuine, self.impostors = NormalDist(mean, 9), NormalDist(25, 9)
        self.mated, self.others, self.failed = mated, others, failed

    def errors(self, threshold):
        """False matches, and mated pairs that are turned away."""
        false = round((1 - self.impostors.cdf(threshold)) * self.others)
        return false, self.failed + round(self.genuine.cdf(threshold) * (self.mated - self.failed))

    def point(self, threshold, chosen_on="evaluation"):
        """The operating point at a threshold."""
        false, refused = self.errors(threshold)
        return point(
            *(false, self.others, refused, self.mated),
            threshold=threshold,
            chosen_on=chosen_on,
            failed=self.failed,
        )

    def curve(self, *include, steps=60):
        """The whole curve, with the thresholds of `include`."""
        thresholds = sorted({*include, *(20 + 50 * step / (steps - 1) for step in range(steps))})
        points = [self.point(threshold) for threshold in thresholds]
        columns = {}
        for name in ("fmr", "fnmr", "frr"):
            rates = [getattr(one, name) for one in points]
            columns[name] = tuple(rate.value for rate in rates)
            columns[f"{name}_low"] = tuple(rate.interval.low for rate in rates)
            columns[f"{name}_high"] = tuple(rate.interval.high for rate in rates)
        return Curve(thresholds=tuple(thresholds), confidence=0.95, eer=0.0123, **columns)

    def histogram(self):
        """How the scores are spread."""
        edges = tuple(float(edge) for edge in range(0, 104, 4))

        def counts(normal, of):
            pairs = itertools.pairwise(edges)
            return tuple(round(of * (normal.cdf(high) - normal.cdf(low))) for low, high in pairs)

        return Histogram(
            edges=edges,
            mated=counts(self.genuine, self.mated),
            non_mated=counts(self.impostors, self.others),
        )

    def parts(self, required, default=None, chosen_on="evaluation"):
        """Points, curve and histogram, as fields of a system."""
        return {
            "at_required": self.point(required, chosen_on),
            "at_default": None if default is None else self.point(default, "default"),
            "curve": self.curve(required, *([] if default is None else [default])),
            "histogram": self.histogram(),
        }


def service(failed=80, calls=18000, missing=0, **more):
    """A service of which only the failures are known."""
    return Service(
        calls=calls,
        answered=Rate(errors=missing, trials=calls),
        not_answered={"OutcomeUnknown": missing} if missing else {},
        acquisition=Rate(errors=failed, trials=calls - missing),
        **more,
    )


def system(name, **more):
    """A system of which next to nothing is known."""
    known = {
        "backend": None,
        "model": None,
        "scale": None,
        "environment": None,
        "kind": "scores",
        "at_required": None,
        "at_default": None,
        "why_not": None,
        "curve": None,
        "histogram": None,
        "service": service(),
        "privacy": "Nothing is known of what was sent or kept.",
    }
    return System(name=name, **(known | more))


def evaluation(*systems, **more):
    """An evaluation of these systems and nothing else."""
    size = SampleSize(pairs=18000, mated=2000, non_mated=16000, subjects=300)
    known = {
        "headline": "This is the verdict, in one sentence.",
        "study": StudySummary(
            name="scores.csv", digest=None, whole=size, calibration=None, evaluation=size
        ),
        "required_fmr": 0.001,
        "confidence": 0.95,
        "differences": (),
        "caveats": (),
        "made_at": MADE_AT,
        "version": "0.2.0",
    }
    return Evaluation(systems=systems, **(known | more))


def difference(first, second, *, gap=-0.027, real=True):
    """Two systems and what lies between them."""
    better = (first if gap < 0 else second) if real else None
    return Difference(
        first=first,
        second=second,
        pairs=1980,
        subjects=290,
        errors_first=15,
        errors_second=68,
        only_first=4,
        only_second=57,
        frr=estimate(gap, 0.009),
        exact=estimate(gap, 0.008).interval,
        p_value=0.0005 if real else 0.34,
        p_exact=3.2e-13,
        p_adjusted=0.0015 if real else 0.68,
        is_real=real,
        better=better,
        beyond=(second,) if second == "decides" else (),
        cost=estimate(-0.41, 0.2),
        sentence=f"{better} turns away fewer genuine people than the other, and that is not chance."
        if real
        else f"{first} and {second} differ no more than chance does.",
    )


def cost_of(base):
    """A cost with a curve."""
    shares = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    curve = tuple(base * (1 - share) + 50 * 0.001 * share for share in shares)

    def at(threshold, times):
        return CostAt(
            threshold=threshold,
            expected=estimate(base * times, base / 5),
            false_matches=0.001 * times,
            false_rejects=base * times - 0.051,
            reviews=0.0,
            calls=0.05,
        )

    return ExpectedCost(
        at_required=at(60.83, 1.0),
        at_default=at(50.0, 1.3),
        impostors=shares,
        curve=curve,
        curve_low=tuple(0.8 * value for value in curve),
        curve_high=tuple(1.25 * value for value in curve),
    )


def at_fmrs(made, *thresholds):
    """Points at the rates that reports have in common, as far as there are thresholds."""
    points = [made.point(threshold) for threshold in thresholds]
    why_not = "An FMR of 0.01 % cannot be seen in 3,500 non-mated pairs: it takes 10,000."
    return tuple(
        PointAt(fmr=fmr, point=one, why_not=None if one else why_not)
        for fmr, one in itertools.zip_longest((1e-2, 1e-3, 1e-4), points)
    )


def cross_groups(column, *groups):
    """Every two groups; nobody compared the first with the last."""
    pairs = itertools.combinations_with_replacement(groups, 2)
    return tuple(
        CrossGroup(
            column=column,
            first=first,
            second=second,
            fmr=rate(0, 0) if (first, second) == (groups[0], groups[-1]) else rate(3, 4000),
        )
        for first, second in pairs
    )


def groups_of(shift):
    """Cells of two columns, one of them too small, one without an error."""
    cells = [
        ("sex", "f", 9, 4000, 40 + shift, 900, 1.3),
        ("sex", "m", 4, 4200, 22 + shift, 1000, 0.7),
        ("age", "18 to 30", 0, 2100, 12, 420, None),
        ("age", "31 to 60", 3, 2600, 0, 480, 0.0),
    ]
    return (
        *(
            GroupCell(
                column=column,
                group=group,
                fmr=rate(false, others),
                frr=rate(refused, mated),
                fmr_ratio=None if ratio is None else estimate(ratio, 0.4),
                frr_ratio=estimate(1.25, 0.4),
            )
            for column, group, false, others, refused, mated, ratio in cells
        ),
        GroupCell(
            column="age",
            group="over 60",
            fmr=rate(0, 30),
            frr=rate(0, 0),
            too_few="Too few people in this cell: 4.",
        ),
    )


@functools.cache
def full():
    """Three systems with every part that there is; one of them is a mock and gives decisions."""
    whole = SampleSize(pairs=18000, mated=2000, non_mated=16000, subjects=300)
    half = SampleSize(pairs=4500, mated=1000, non_mated=3500, subjects=150)
    didit = system(
        "didit",
        backend="didit",
        model="v3",
        scale="didit/face-match",
        environment=Environment.PRODUCTION,
        **Made(70).parts(52.83, 50.0, "calibration"),
        service=service(
            missing=31,
            latency_s={"50": 0.37, "90": 0.61, "95": 0.72, "99": 1.4},
            timed=17969,
            cost=898.45,
            price=0.05,
            currency="USD",
            cost_per_verified=0.0506,
        ),
        privacy="Pictures are sent to the vendor, which was asked to keep nothing.",
        other_models={"v2": 120},
        without_score=2,
        at_fmrs=at_fmrs(Made(70), 46.1, 52.83),
        auc=0.99963,
        d_prime=4.95,
        concentration=Concentration(
            pairs=14,
            people=19,
            worst_person=5 / 14,
            worst_ten=13 / 14,
            person="p7",
            threshold_without=51.5,
        ),
        groups=groups_of(0),
        cross_groups=cross_groups("age", "18 to 30", "31 to 60", "over 60"),
        group_differences=(
            GroupDifference(
                column="sex",
                rate="fmr",
                worst="f",
                best="m",
                ratio=2.36,
                at_least=1.02,
                p_value=0.041,
                is_real=True,
                sentence="Women match other women more often than men match men: at least 1.0 "
                "times as often.",
            ),
            GroupDifference(
                column="age",
                rate="frr",
                worst="18 to 30",
                best="31 to 60",
                ratio=None,
                at_least=1.0,
                p_value=None,
                is_real=False,
                sentence="No difference by age is shown.",
            ),
        ),
        cost=cost_of(0.22),
    )
    local = system(
        "local",
        backend="local",
        model="dlib-resnet-v1",
        scale="local/dlib",
        environment=Environment.LOCAL,
        **Made(77).parts(52.9, 56.0, "calibration"),
        service=service(latency_s={"50": 0.11, "95": 0.19}, timed=18000),
        privacy="No picture leaves the machine.",
        at_fmrs=at_fmrs(Made(77), 46.1, 52.9),
        auc=0.99998,
        d_prime=5.78,
        concentration=Concentration(pairs=15, people=28, worst_person=2 / 15, worst_ten=12 / 15),
        groups=groups_of(-10),
        cost=cost_of(0.09),
    )
    decides = system(
        "decides",
        environment=Environment.MOCK,
        kind="decisions",
        at_default=point(90, 16000, 44, 2000, threshold=None, chosen_on="default", failed=8),
        why_not="decides gives decisions only: it has no threshold to choose.",
        service=service(missing=180, price=0.02, currency="EUR", cost=360.0),
    )
    return evaluation(
        didit,
        local,
        decides,
        headline="At 1 false match in 1,000, local turns away 15 of 2,000 genuine people and "
        "didit 64: local is better, and that is not chance.",
        study=StudySummary(
            name="Autumn study",
            digest="ab" * 32,
            whole=whole,
            calibration=half,
            evaluation=half,
            groups={"sex": {"f": half, "m": half}, "age": {"over 60": half}},
        ),
        differences=(
            difference("didit", "local", gap=0.0266),
            difference("didit", "decides", gap=-0.004, real=False),
            attrs.evolve(
                difference("local", "decides", real=False),
                frr=None,
                exact=None,
                p_value=None,
                p_exact=None,
                p_adjusted=None,
                cost=None,
            ),
        ),
        costs=Costs(impostors=0.01, false_match=50.0, false_reject=6.0, review=1.5, currency="EUR"),
        on_cost="At these costs, an attempt with local costs 0.090 EUR; didit costs 0.41 EUR more.",
        caveats=(
            Caveat(
                code="fmr_floor",
                systems=(),
                text="An FMR below 0.023 % cannot be shown with 16,000 non-mated pairs.",
            ),
            Caveat(code="other_models", systems=("didit",), text="120 pairs were answered by v2."),
        ),
    )


@functools.cache
def two():
    """A file of scores of two systems; the first made no error at all."""
    alpha, beta = (Made(mean, mated=300, others=3000, failed=0) for mean in (84, 61.06))
    return evaluation(
        system(
            "alpha",
            **alpha.parts(52.82),
            service=service(failed=0, calls=3300),
        ),
        system(
            "beta",
            **beta.parts(52.82),
            service=service(failed=0, calls=3300),
        ),
        headline="At 1 false match in 1,000, alpha turns away 0 of 300 genuine people and beta 54: "
        "alpha is better, and that is not chance.",
        differences=(difference("alpha", "beta", gap=-0.18),),
        caveats=(
            Caveat(
                code="not_split",
                systems=(),
                text="Thresholds were chosen on the pairs that they are judged on.",
            ),
        ),
    )


@functools.cache
def eight():
    """Eight systems, alike and close together."""
    return evaluation(
        *(
            system(
                f"vendor {place}",
                **Made(76 - place).parts(52.83 + 0.4 * (place % 3), 50.0),
            )
            for place in range(8)
        ),
        headline="Eight systems were compared; no one is shown to be the best.",
    )


@functools.cache
def decisions_only():
    """One system that gives decisions, of which nothing else is known."""
    only = system(
        "decides",
        kind="decisions",
        at_default=point(0, 600, 0, 300, threshold=None, chosen_on="default"),
        why_not="decides gives decisions only.",
        service=service(failed=0, calls=900),
    )
    return evaluation(only, headline="decides made no error among 900 pairs.")


@functools.cache
def silent():
    """One system that never answered: no rate, no point, no curve."""
    nothing = system(
        "silent",
        why_not="silent answered nothing.",
        service=service(failed=0, calls=200, missing=200),
    )
    return evaluation(nothing, headline="silent answered no pair: nothing can be said of it.")


@functools.cache
def without_intervals():
    """Rates that nobody put an interval around, and rates of no pair at all."""
    none = rate(0, 0)
    at = OperatingPoint(
        threshold=40.0,
        rule=ThresholdRule.AT_LEAST,
        chosen_on="default",
        fmr=none,
        fnmr=rate(3, 40, interval=False),
        far=none,
        frr=rate(3, 40, interval=False),
    )
    return evaluation(system("blind", at_default=at, why_not="There was no non-mated pair."))


@functools.cache
def hostile():
    """Every name and text that somebody else can choose is hostile."""
    base = full()
    names = {"didit": HOSTILE, "local": "other" + HOSTILE, "decides": HOSTILE + "third"}
    systems = tuple(
        attrs.evolve(
            one,
            name=names[one.name],
            backend=HOSTILE,
            model=HOSTILE,
            scale=HOSTILE,
            privacy=HOSTILE,
            why_not=HOSTILE,
            other_models={HOSTILE: 3},
            service=attrs.evolve(one.service, not_answered={HOSTILE: 9}, currency="<b>"),
            groups=tuple(
                attrs.evolve(cell, column=HOSTILE + ".x", group=f"o.p%q{HOSTILE}", too_few=HOSTILE)
                for cell in one.groups
            ),
            cross_groups=cross_groups(HOSTILE, HOSTILE + "1", HOSTILE + "2"),
            concentration=attrs.evolve(one.concentration, person=HOSTILE)
            if one.concentration
            else None,
        )
        for one in base.systems
    )
    return attrs.evolve(
        base,
        headline=HOSTILE,
        on_cost=HOSTILE,
        systems=systems,
        study=attrs.evolve(
            base.study,
            name=HOSTILE,
            digest=HOSTILE,
            groups={HOSTILE + ".x": {f"o.p%q{HOSTILE}": base.study.whole}},
        ),
        differences=tuple(
            attrs.evolve(
                one,
                first=names[one.first],
                second=names[one.second],
                beyond=tuple(names[name] for name in one.beyond),
                better=one.better and names[one.better],
                sentence=HOSTILE,
            )
            for one in base.differences
        ),
        costs=attrs.evolve(base.costs, currency="<i>"),
        caveats=(Caveat(code="x", systems=(HOSTILE,), text=HOSTILE),),
        version=HOSTILE,
    )


ALL = {
    made.__name__: made
    for made in (
        full,
        two,
        eight,
        decisions_only,
        silent,
        without_intervals,
        hostile,
    )
}
