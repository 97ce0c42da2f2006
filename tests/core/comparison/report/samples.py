"""Made-up studies for the report: drawn once, judged by the code that judges real ones."""

import datetime as dt
import functools

import numpy as np

from facematch_core import Environment, ThresholdRule
from facematch_core.comparison._answers import Answers
from facematch_core.comparison._evaluate import Asked, evaluate
from facematch_core.comparison.metrics import Grouping, ScoreTable

MADE_AT = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)

#: A name that tries everything: ends of elements, quotes, entities, templates, formulas, a turn of
#: direction, letters of another script, and 200 letters without a place to break.
HOSTILE = (
    '</script></style></title><img src=x onerror="alert(1)">\'"&amp;{{ 7*7 }}{% raw %}$\\frac1{0}$'
    "\u202eturned\u202c \u05e9\u05dc\u05d5\u05dd \x00\x07" + "w" * 200
)


class Pairs:
    """Pairs of made-up people, who are in two groups of sex and in one that is tiny."""

    def __init__(self, people, mated, others, seed=3):
        chance = np.random.default_rng(seed)
        same = chance.integers(0, people, mated)
        first = chance.integers(0, people, others)
        second = (first + chance.integers(1, people, others)) % people
        self.probe = np.concatenate([same, first])
        self.reference = np.concatenate([same, second])
        self.mated = np.arange(mated + others) < mated

    def groups(self, labels):
        sides = [np.where(side < 5, 2, side % 2) for side in (self.probe, self.reference)]
        return Grouping(labels=labels, probe=sides[0], reference=sides[1])

    def answers(
        self,
        name,
        *,
        mean=70.0,
        seed=1,
        failing=0.005,
        missing=0.0,
        scored=True,
        groups=("sex", ("f", "m", "not told")),
        **more,
    ):
        """Answers with a threshold of 50, made of two normal distributions."""
        chance = np.random.default_rng(seed)
        count = len(self.mated)
        scores = np.where(
            self.mated, chance.normal(mean, 9, count), chance.normal(25, 9, count)
        ).clip(0, 100)
        answered = chance.random(count) >= missing
        acquired = answered & (chance.random(count) >= failing)
        decisions = np.where(acquired, scores > 50, 3).astype(np.int8)
        decisions[~answered] = -1
        table = ScoreTable(
            name=name,
            rule=ThresholdRule.ABOVE if scored else ThresholdRule.VENDOR,
            mated=self.mated,
            scores=np.where(acquired & scored, scores.round(2), np.nan),
            decisions=decisions,
            acquired=acquired,
            answered=answered,
            probe_subjects=self.probe,
            reference_subjects=self.reference,
            groups={groups[0]: self.groups(groups[1])} if groups else {},
            scale=f"{name}/v1" if scored else None,
            threshold=50.0 if scored else None,
        )
        took = np.where(answered, chance.lognormal(-1, 0.4, count), np.nan)
        charged = answered.astype(np.int8)
        return Answers.of_scores(table, **{"elapsed_s": took, "billed": charged, **more})


@functools.cache
def three():
    """Two that tell scores, one that tells decisions and is a mock."""
    pairs = Pairs(300, 2000, 16000)
    return evaluate(
        [
            pairs.answers(
                "didit",
                mean=66,
                backend="didit",
                environment=Environment.PRODUCTION,
                price=0.05,
                currency="USD",
                privacy="Pictures are sent to the vendor, which was asked to keep nothing.",
            ),
            pairs.answers(
                "local",
                mean=73,
                seed=2,
                backend="local",
                model="dlib-resnet-v1",
                environment=Environment.LOCAL,
                privacy="No picture leaves the machine.",
            ),
            pairs.answers(
                "decides",
                seed=4,
                scored=False,
                missing=0.01,
                environment=Environment.MOCK,
                price=0.02,
                currency="EUR",
            ),
        ],
        name="Autumn study",
        digest="ab" * 32,
        made_at=MADE_AT,
    )


@functools.cache
def two():
    """Two that tell scores; the second refuses fewer by far."""
    pairs = Pairs(120, 1000, 4000)
    both = [pairs.answers("worse", mean=62), pairs.answers("better", mean=75, seed=2)]
    return evaluate(both, Asked(required_fmr=0.01), name="two", made_at=MADE_AT)


@functools.cache
def twenty():
    """Twenty pairs of eight people."""
    pairs = Pairs(8, 10, 10)
    both = [pairs.answers("a", groups=None), pairs.answers("b", mean=60, seed=2, groups=None)]
    return evaluate(both, name="twenty pairs", made_at=MADE_AT)


@functools.cache
def decisions_only():
    """One contender, and it tells decisions only."""
    only = Pairs(60, 300, 600).answers("decides", scored=False)
    return evaluate([only], name="decisions", made_at=MADE_AT)


@functools.cache
def unanswered():
    """One contender that never answered."""
    nothing = Pairs(60, 100, 100).answers("silent", missing=2.0)
    return evaluate([nothing], name="outage", made_at=MADE_AT)


@functools.cache
def never_acquired():
    """One contender that found no face in anything, and one that found some."""
    pairs = Pairs(60, 300, 600)
    both = [pairs.answers("blind", failing=2.0), pairs.answers("sees", seed=2)]
    return evaluate(both, name="dark", made_at=MADE_AT)


@functools.cache
def undivided():
    """Thresholds chosen where they are judged, and one contender that is far too strict."""
    pairs = Pairs(60, 300, 600)
    both = [pairs.answers("strict", mean=26), pairs.answers("fine", seed=2)]
    return evaluate(both, Asked(split=False), name="undivided", made_at=MADE_AT)


@functools.cache
def hostile():
    """Every name that somebody else can choose is hostile."""
    pairs = Pairs(60, 300, 600)
    groups = (HOSTILE + ".column", (HOSTILE, "m", "o.p%q"))
    both = [
        pairs.answers(
            name,
            seed=seed,
            groups=groups,
            missing=0.1,
            not_answered={HOSTILE: 90},
            backend=HOSTILE,
            model=HOSTILE,
            price=0.5,
            currency="<b>",
            privacy=HOSTILE,
        )
        for seed, name in enumerate((HOSTILE, "other" + HOSTILE))
    ]
    return evaluate(both, name=HOSTILE, digest=HOSTILE, made_at=MADE_AT)


ALL = {
    made.__name__: made
    for made in (
        three,
        two,
        twenty,
        decisions_only,
        unanswered,
        never_acquired,
        undivided,
        hostile,
    )
}
