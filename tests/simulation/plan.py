"""A life's plan: what happens, in which process, and where a process dies or is interrupted.

A plan is drawn from one number before anything happens, so that a failing one can be shortened.
"""

import random

import attrs

CUSTOMERS = [f"customer-{number}" for number in range(4)]
MATTERS = ["1", "2"]
#: The two pictures of an upload, by name. The last two pairs are no yes.
UPLOADS = [
    *[("p1-again", "p1")] * 2,
    ("p1", "p1-again"),
    ("p2", "p1"),
    ("not-live", "p1"),
]
#: What a person shows in a session; the last two are no yes.
FILMED = ["p1", "p1", "p1-again", "attack", "not-live"]
WAITS_S = [1, 5, 13, 60, 700]
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
    "give_up": 1,
    "reconcile": 1,
    "wait": 3,
    "erase": 0.4,
}
#: Actions that a customer, or a queue, may send again.
REQUESTS = ("upload", "begin", "payout")


@attrs.frozen
class Step:
    """One action, in process 0 or 1.

    Attributes:
        action: A key of `WEIGHTS`.
        process: The process that acts.
        customer, matter: For whom and for what.
        choice: A number that chooses among what is there: a picture, a session, a webhook.
        dies_at: The point at which the process dies, counted from 1; None if it does not.
        swap_at: The point from which the other process acts first, at a place without a
            transaction.
        swap: What the other process does there; time may pass there, too.
        loses_commit: The number of the COMMIT of a store of which the answer is lost, although it
            is committed; None if none is.
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
    loses_commit: int | None = None
    again_in: int | None = None

    def without_accidents(self):
        """Yield this step without each of its accidents."""
        if self.dies_at is not None:
            yield attrs.evolve(self, dies_at=None)
        yield from (attrs.evolve(self, swap=swap) for swap in _without_some(self.swap, 1))
        if self.loses_commit is not None:
            yield attrs.evolve(self, loses_commit=None)
        if self.again_in is not None:
            yield attrs.evolve(self, again_in=None)

    def __str__(self):
        words = [f"process {self.process}: {self.action} of {self.customer}, matter {self.matter}"]
        if self.dies_at is not None:
            words.append(f"dies at point {self.dies_at}")
        if self.swap:
            swap = "; ".join(map(str, self.swap))
            words.append(f"at point {self.swap_at} comes ({swap})")
        if self.loses_commit is not None:
            words.append(f"the answer to its COMMIT {self.loses_commit} is lost")
        if self.again_in is not None:
            words.append(f"is sent again to process {self.again_in}")
        return ", ".join(words)


@attrs.frozen
class Plan:
    """A whole life: the hosted sessions' vendor, the second clock's error, and the steps."""

    vendor: str
    skew_s: int
    steps: tuple[Step, ...]


def draw(seed, vendors, length):
    """Draw a plan from a number: the same number gives the same plan."""
    luck = random.Random(f"life {seed}")
    vendor = luck.choice(vendors)
    return Plan(vendor, luck.choice(SKEWS_S), tuple(_draw_step(luck) for _ in range(length)))


def _draw_step(luck, process=None):
    """Draw a step; one that comes in between, in a given process, has none in between itself."""
    may_swap = process is None
    (action,) = luck.choices([*WEIGHTS], WEIGHTS.values())
    step = Step(
        action,
        process=luck.randrange(2) if process is None else process,
        customer=luck.choice(CUSTOMERS),
        matter=luck.choice(MATTERS),
        choice=luck.randrange(1000),
        dies_at=luck.randint(1, 40) if luck.random() < 0.25 else None,
        loses_commit=luck.randint(1, 12) if luck.random() < 0.15 else None,
    )
    if may_swap and luck.random() < 0.5:
        count = luck.choice([1, 1, 2, 3])
        swap = tuple(_draw_step_between(luck, step) for _ in range(count))
        step = attrs.evolve(step, swap_at=luck.randint(1, luck.choice([6, 12, 40])), swap=swap)
    if action in REQUESTS and luck.random() < 0.3:
        step = attrs.evolve(step, again_in=luck.randrange(2))
    return step


def _draw_step_between(luck, step):
    """Draw a step of the other process: mostly the same one, a wait, or of the same customer."""
    between = _draw_step(luck, 1 - step.process)
    kind = luck.choice(["same", "wait", "customer", "any"])
    if kind == "any":
        return between
    if kind == "wait":
        return attrs.evolve(between, action="wait")
    between = attrs.evolve(between, customer=step.customer, matter=step.matter)
    if kind == "customer":
        return between
    return attrs.evolve(between, action=step.action, choice=step.choice)


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
