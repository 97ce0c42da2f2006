"""A life's plan: what happens, in which process, and where a process dies or is interrupted.

A plan is drawn from one number before anything happens, so that a failing one can be shortened.
"""

import random

import attrs

from facematch_core import Retention

CUSTOMERS = [f"customer-{number}" for number in range(4)]
MATTERS = ["1", "2", "3"]
#: The two pictures of an upload, by name. A person decides on "score-30"; the last two are no yes.
UPLOADS = [
    *[("p1-again", "p1")] * 2,
    ("p1", "p1-again"),
    *[("score-30", "p1")] * 2,
    ("p2", "p1"),
    ("not-live", "p1"),
]
#: What a person shows in a session, and the name in the document, if one is read. The name with an
#: initial is for a person to decide. The last two are no yes: in the last one the vendor's staff
#: declines the person.
FILMED = [
    *[("p1", "ADA BYRON")] * 3,
    *[("p1", "A. BYRON")] * 2,
    ("attack", "ADA BYRON"),
    ("declined", "ADA BYRON"),
]
WAITS_S = [1, 5, 13, 60, 700]
#: The most calls that uploads may cost at each vendor.
LIMITS = [4, 1000]
#: How much the second machine's clock is ahead.
SKEWS_S = [0, 3, 20, 300, -20, -300]
#: How often each action is drawn.
WEIGHTS = {
    "upload": 7,
    "begin": 8,
    "film": 6,
    "hear": 4,
    "look": 4,
    "payout": 6,
    "decide": 4,
    "give_up": 1,
    "reconcile": 1,
    "wait": 3,
    "erase": 0.4,
}
#: What often follows.
NEXT = {
    "begin": "film",
    "film": "payout",
    "payout": "decide",
    "upload": "decide",
    "decide": "payout",
}
#: Actions of a customer, who does nothing more once erased.
BY_CUSTOMER = ("upload", "begin", "payout")
#: Actions that whoever asks for them may send again.
REQUESTS = (*BY_CUSTOMER, "decide")


@attrs.frozen
class Step:
    """One action, in process 0 or 1.

    Attributes:
        action: A key of `WEIGHTS`.
        process: The process that acts.
        customer, matter: For whom and for what.
        choice: A number that chooses among what is there: a picture, a session, a webhook.
        dies_at: The point at which the process dies, counted from 1; None if it does not.
        swap_at: The place, of those without a transaction, at which the other process acts first.
        swap: What the other process does there; time may pass there, too.
        loses: Of what the answer is lost although it is done, "commit" of a store or "request";
            or a "connection", which is not made, nor is the one after it.
        loses_at: The number of that commit, request or connection.
        again_in: The process that gets the same request again afterwards, or None.
    """

    action: str
    process: int
    customer: str
    matter: str
    choice: int
    dies_at: int | None = None
    swap_at: int = 0
    swap: "tuple[Step, ...]" = ()
    loses: str | None = None
    loses_at: int = 0
    again_in: int | None = None

    @property
    def case(self):
        return self.customer, self.matter

    @property
    def is_of_case(self):
        return self.action in (*BY_CUSTOMER, "give_up", "decide", "erase")

    @property
    def pictures(self):
        return UPLOADS[self.choice % len(UPLOADS)]

    @property
    def retention(self):
        """Whether the vendor is to keep an upload; only the first one can."""
        return Retention.KEEP if self.choice % 2 else Retention.MINIMAL

    @property
    def upload(self):
        return f"{' with '.join(self.pictures)}, {self.retention}"

    def without_accidents(self):
        """Yield this step without each of its accidents."""
        if self.dies_at is not None:
            yield attrs.evolve(self, dies_at=None)
        yield from (attrs.evolve(self, swap=swap) for swap in _without_some(self.swap, 1))
        if self.loses is not None:
            yield attrs.evolve(self, loses=None)
        if self.again_in is not None:
            yield attrs.evolve(self, again_in=None)


@attrs.frozen
class Plan:
    """A whole life: the hosted sessions' vendor, the second clock's error, and the steps.

    Attributes:
        limit: One of `LIMITS`.
    """

    vendor: str
    skew_s: int
    limit: int
    steps: tuple[Step, ...]


def draw(seed, vendors, length):
    """Draw a plan from a number: the same number gives the same plan."""
    luck = random.Random(f"life {seed}")
    vendor = luck.choice(vendors)
    skew_s = luck.choice(SKEWS_S)
    limit = luck.choice(LIMITS)
    steps = []
    for _ in range(length):
        step = _draw_step(luck, luck.randrange(2))
        if steps and luck.random() < 0.7:
            # Most of what happens goes on with what was done last, or it would seldom meet.
            before = steps[-1]
            action = luck.choice([step.action, NEXT.get(before.action, step.action)])
            case = {"customer": before.customer, "matter": before.matter}
            step = attrs.evolve(step, action=action, **case)
        steps.append(_with_swap(luck, step))
    return Plan(vendor, skew_s, limit, tuple(steps))


def _draw_step(luck, process):
    (action,) = luck.choices([*WEIGHTS], WEIGHTS.values())
    is_again = action in REQUESTS and luck.random() < 0.3
    return Step(
        action,
        process,
        customer=luck.choice(CUSTOMERS),
        matter=luck.choice(MATTERS),
        choice=luck.randrange(1000),
        dies_at=luck.randint(1, luck.choice([20, 80])) if luck.random() < 0.2 else None,
        loses=luck.choice(["commit", "request", "connection"]) if luck.random() < 0.3 else None,
        loses_at=luck.randint(1, luck.choice([1, 3, 10])),
        again_in=luck.randrange(2) if is_again else None,
    )


def _with_swap(luck, step):
    """Return a step, half of the time with steps of the other process in between.

    Often the first of them is a wait: the process was suspended. The others are mostly the same
    step, or are about the same customer, who may leave meanwhile while no vendor can be reached.
    """
    if luck.random() < 0.5:
        return step
    between = []
    for number in range(luck.choice([1, 1, 2, 3])):
        other = _draw_step(luck, 1 - step.process)
        kinds = ["same", "same", "customer", "wait" if number == 0 else "any"]
        (kind,) = luck.choices([*kinds, "erase"], [1, 1, 1, 1, 0.7])
        if kind in ("wait", "erase"):
            other = attrs.evolve(other, action=kind)
        if kind == "erase" and luck.random() < 0.7:
            other = attrs.evolve(other, loses="connection", loses_at=1)
        if kind not in ("wait", "any"):
            other = attrs.evolve(other, customer=step.customer, matter=step.matter)
        if kind == "same":
            other = attrs.evolve(other, action=step.action, choice=step.choice)
        between.append(other)
    return attrs.evolve(step, swap_at=luck.randint(1, luck.choice([4, 8, 24])), swap=tuple(between))


def shorten(plan, fails):
    """Return a plan that still fails, of which no step and no accident can be left out."""
    size = max(1, len(plan.steps) // 2)
    while True:
        shorter = (attrs.evolve(plan, steps=steps) for steps in _without_some(plan.steps, size))
        found = next(filter(fails, shorter), None)
        if found is not None:
            plan = found
        elif size > 1:
            size //= 2
        else:
            return plan


def _without_some(steps, size):
    """Yield the steps without each run of `size`; with 1, also without each accident."""
    for place in range(0, len(steps), size):
        yield steps[:place] + steps[place + size :]
    if size == 1:
        for place, step in enumerate(steps):
            for simpler in step.without_accidents():
                yield (*steps[:place], simpler, *steps[place + 1 :])
