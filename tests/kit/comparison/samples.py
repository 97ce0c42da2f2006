"""Evaluations for the report: with every part that there is, and with none."""

import datetime as dt
import enum
import functools
from collections.abc import Mapping

import attrs
import numpy as np
from kit.comparison.tables import (
    as_decisions,
    as_real,
    crowd,
    system_answers,
    with_columns,
    without_answers,
)

from facematch_comparison import evaluate
from facematch_comparison.scores.answers import Grouping
from facematch_comparison.values.model import Costs, Evidence, Traffic
from facematch_core import Environment

MADE_AT = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)

#: A name that tries everything: ends of elements, quotes, entities, templates, formulas, a turn of
#: direction, letters of another script, new lines, and 200 letters without a place to break.
HOSTILE = (
    '</script></style></title><img src=x onerror="alert(1)">\'"&amp;{{ 7*7777 }}{% raw %}'
    "$\\frac1{0}$\u202eturned\u202c \u05e9\u05dc\u05d5\u05dd \x00\x07\n\r" + "w" * 200
)

PEOPLE = 150

TRAFFIC = Traffic(
    calls_per_year=1_200_000,
    impostors=0.002,
    costs=Costs(false_match=250, false_reject=4, currency="USD"),
)


def grouped(system):
    """By sex, where women are mistaken for each other, and by age, where too few are old."""
    table = system
    people = np.arange(PEOPLE)
    columns = {
        "sex": (("f", "m"), people % 2),
        "age": (("18 to 30", "31 to 60", "over 60"), np.where(people > 145, 2, people % 3 // 2)),
    }
    groups = {
        name: Grouping(
            labels=labels, probe=of[table.probe_subjects], reference=of[table.reference_subjects]
        )
        for name, (labels, of) in columns.items()
    }
    women = ~table.mated & (groups["sex"].within == 0)
    scores = np.where(women, (table.scores + 8).clip(0, 100), table.scores)
    return with_columns(system, groups=groups, scores=scores)


@functools.cache
def full():
    """Three systems with every part that there is; one of them is a mock and gives decisions."""
    count = PEOPLE * 68
    chance = np.random.default_rng(3)

    def of(name, mean, seed, **facts):
        system = crowd(
            name, people=PEOPLE, mated=8, others=60, mean=mean, seed=seed, failures=0.004
        )
        billed = {"billed": facts.pop("billed")} if "billed" in facts else {}
        timed = with_columns(grouped(system), elapsed_s=chance.gamma(4, 0.1, count), **billed)
        return attrs.evolve(as_real(timed), **facts)

    didit = of(
        *("didit", 62, 1),
        billed=np.ones(count, np.int8),
        backend="didit",
        model="v3",
    )
    local = of(
        *("local", 75, 2),
        backend="local",
        environment=Environment.LOCAL,
        price=None,
        currency=None,
    )
    decides = of("decides", 70, 4, environment=Environment.MOCK)
    decides = without_answers(as_decisions(decides), chance.choice(count, 90, replace=False))
    systems = [without_answers(didit, np.arange(3, 34)), local, decides]
    options = {"--fmr": ("0.01",), "--price": ("didit=0.05", "decides=0.05")}
    evidence = Evidence(file="autumn.csv", sha256="cd" * 32, options=options)
    more = {"name": "Autumn study", "digest": "ab" * 32, "made_at": MADE_AT}
    more["evidence"] = evidence
    more["traffic"] = TRAFFIC
    evaluation = evaluate(systems, required_fmr=0.01, **more)
    first, *rest = evaluation.systems
    named = attrs.evolve(first.concentration, person="p7")
    return attrs.evolve(evaluation, systems=(attrs.evolve(first, concentration=named), *rest))


@functools.cache
def two():
    """A file of scores of two systems; the first made no error at all."""
    better = crowd("alpha", PEOPLE, 2, 20, mean=90)
    worse = crowd("beta", PEOPLE, 2, 20, mean=50)
    return evaluate([better, worse], required_fmr=0.01, made_at=MADE_AT)


@functools.cache
def eight():
    systems = [crowd(f"vendor {n}", PEOPLE, 2, 20, mean=66 - 2 * n, seed=n) for n in range(8)]
    return evaluate(systems, required_fmr=0.01, made_at=MADE_AT)


@functools.cache
def decisions_only():
    return evaluate(
        [as_decisions(system_answers([90] * 300, [10] * 600, "decides"))], made_at=MADE_AT
    )


@functools.cache
def silent():
    nothing = without_answers(system_answers([90] * 100, [10] * 100, "silent"), slice(None))
    return evaluate([nothing], made_at=MADE_AT)


@functools.cache
def blind():
    return evaluate([system_answers([90] * 37 + [20] * 3, [], "blind")], made_at=MADE_AT)


#: Words of ours, percentiles, and three letters.
OURS = {"kind", "chosen_on", "rate", "code", "latency_s", "currency"}


def _hostile(value, field=""):
    if isinstance(value, enum.Enum) or field in OURS:
        return value
    if isinstance(value, str):
        return f"{value}.p%q{HOSTILE}"
    if isinstance(value, tuple):
        return tuple(map(_hostile, value))
    if isinstance(value, Mapping):
        return {_hostile(key): _hostile(of) for key, of in value.items()}
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value))]
        return attrs.evolve(value, **{name: _hostile(getattr(value, name), name) for name in names})
    return value


@functools.cache
def hostile():
    return _hostile(full())


EVALUATIONS = {
    sample.__name__: sample for sample in (full, two, eight, decisions_only, silent, blind, hostile)
}
