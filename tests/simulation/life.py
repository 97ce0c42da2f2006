"""A life: what customers, a vendor and daily jobs do by a plan, and what was wished and paid."""

import contextlib

import attrs
import sqlalchemy as sa
from kit.cards import CARDS
from simulation import plan as plans
from simulation.laws import find_faults
from simulation.world import YEAR_S, Died, Process, World

import facematch_core as fm


def is_right(card):
    """Return whether a card shows the live face of the person p1."""
    return card.startswith("p1")


class Life:
    """Live by a plan in a database: `run` once.

    Attributes:
        log: A line for each action: how it ended, and the vendor's charges until then.
        deaths, swaps: Number of deaths, and of actions in between.
        wishes: What is to be paid for: customer, matter, pictures, and whether it came after an
            erasure, which ends all earlier wishes.
        given_up: Number of unknown outcomes that were given up.
        latest: The pictures of the upload that was begun last, by customer and matter.
        right_films: The sessions in which the right person passed.
        erased: The erased customers.
        unpaid: The (kind, customer, matter) that may be used, since a process died on the way to
            the payout.
        faults: What must not be, as sentences.
    """

    def __init__(self, plan, address):
        self.plan = plan
        self.log = []
        self.deaths = self.swaps = 0
        self.wishes = set()
        self.given_up = 0
        self.latest = {}
        self.right_films = set()
        self.erased = []
        self.unpaid = []
        self.faults = []
        #: The processes that act, with what they do; the last one in the place of the others.
        self._acting = []
        self.world = World(plan.vendor, address)

    def run(self):
        """Do the steps and three days of daily jobs; return the faults."""
        with self.world, contextlib.ExitStack() as stack:
            self.world.at_point = self._at_point
            self.world.after_commit = self._after_commit
            self.processes = [Process(self.world, ahead_s) for ahead_s in (0, self.plan.skew_s)]
            for process in self.processes:
                stack.callback(process.close)
            with self.processes[0].transaction() as connection:
                connection.exec_driver_sql(
                    "CREATE TABLE payouts (kind TEXT, customer TEXT, matter TEXT, erased INT)"
                )
            for step in self.plan.steps:
                self._act(step)
            self._run_daily_jobs()
            with self.processes[0].transaction() as connection:
                self.faults += find_faults(self, connection)
        return self.faults

    def _act(self, step):
        """Do a step, and write down how it ended; then send it again if the plan says so."""
        if step.action in plans.REQUESTS and step.customer in self.erased:
            return
        process = self.processes[step.process]
        if any(each.process is process for each in self._acting):
            return
        is_between = bool(self._acting)
        acting = _Acting(process, step)
        self._acting.append(acting)
        try:
            end = getattr(self, f"_{step.action}")(process, step) or "done"
        except Died:
            end = f"died at point {acting.points}"
        except fm.FaceMatchError as error:
            end = type(error).__name__
        finally:
            self._acting.pop()
        if process.is_dead:
            process.die()
            process.start()
        self.log.append(
            f"{'    ' * is_between}process {step.process}: {step.action} {step.customer} "
            f"{step.matter} ({step.choice}): {end}; charges {len(self.world.uploads.charges())}"
        )
        if step.again_in is not None:
            again = {"process": step.again_in, "dies_at": None, "again_in": None}
            self._act(attrs.evolve(step, **again))

    def _at_point(self, *, may_swap):
        """Let the acting process die here, or the other one act first, as its step says."""
        if not self._acting:
            return
        acting = self._acting[-1]
        if acting.process.is_dead:
            raise Died
        acting.points += 1
        if acting.points == acting.step.dies_at:
            acting.process.is_dead = True
            self.deaths += 1
            raise Died
        if not may_swap or acting.process.in_transaction:
            return
        if acting.swap and acting.points >= acting.step.swap_at:
            steps, acting.swap = acting.swap, ()
            self.swaps += 1
            for step in steps:
                self._act(step)

    def _after_commit(self):
        if not self._acting:
            return
        acting = self._acting[-1]
        acting.commits += 1
        if acting.commits == acting.step.loses_commit:
            raise fm.StoreUnavailable("The answer to a COMMIT was lost.")

    # What may happen, by a step.

    def _upload(self, process, step):
        """Check two pictures, and pay out."""
        pictures = plans.UPLOADS[step.choice % len(plans.UPLOADS)]
        self.latest[step.customer, step.matter] = pictures
        self._wish(step, pictures)
        case = process.checks.of(step.customer, purpose="payout", about=step.matter)
        case.verify_live(*(CARDS[name] for name in pictures), retention=fm.Retention.KEEP)
        self._wish(step, pictures)
        end = self._pay(process, "upload", step, case.use)
        are_right = [
            is_right(each[0]) for each in (pictures, self.latest[step.customer, step.matter])
        ]
        if end == "PAID" and not any(are_right):
            self.faults.append(f"{step.customer} was paid matter {step.matter} by wrong pictures")
        return end

    def _wish(self, step, pictures):
        """Note what is wished, before and after the call: it may be erased in the middle."""
        was_erased = step.customer in self.erased
        self.wishes.add((step.customer, step.matter, pictures, was_erased))

    def _give_up(self, process, step):
        case = process.checks.of(step.customer, purpose="payout", about=step.matter)
        # Counted before, because it may die in it.
        self.given_up += 1
        self.given_up -= not case.give_up()

    def _begin(self, process, step):
        self._session_of(process, step).begin(any_document=True)

    def _payout(self, process, step):
        case = self._session_of(process, step)
        return self._pay(process, "session", step, lambda **to: case.use(max_age_s=YEAR_S, **to))

    @staticmethod
    def _session_of(process, step):
        return process.sessions.of(step.customer, purpose="payout", about=step.matter)

    def _pay(self, process, kind, step, use):
        """Pay out in the transaction of the use; or, for every third, in another one after it."""
        payout = {"kind": kind, "customer": step.customer, "matter": step.matter}
        case = tuple(payout.values())
        self.unpaid.append(case)
        is_together = step.choice % 3 > 0
        try:
            used = None if is_together else use()
        except fm.StoreUnavailable:
            process.undoing.append(case)
            raise
        with process.transaction() as connection:
            used = use(connection=connection) if is_together else used
            if used:
                payout["erased"] = int(step.customer in self.erased)
                query = "INSERT INTO payouts VALUES (:kind, :customer, :matter, :erased)"
                connection.execute(sa.text(query), payout)
        self.unpaid.remove(case)
        return "PAID" if used else f"use {used}"

    def _film(self, _process, step):
        """A person goes through one of the open sessions; the vendor writes its webhooks."""
        sessions = [*self.world.sessions.sessions.open()]
        if not sessions:
            return "nobody"
        session = sessions[step.choice % len(sessions)]
        card = plans.FILMED[step.choice % len(plans.FILMED)]
        self.world.sessions.sessions.finish(session.id, card=CARDS[card])
        if is_right(card):
            self.right_films.add(session.id)
        return card

    def _hear(self, process, step):
        """A webhook comes: any of those that were sent, perhaps once more."""
        self.world.collect_letters()
        if not self.world.letters:
            return "nothing"
        letter = self.world.letters[step.choice % len(self.world.letters)]
        return str(process.sessions.receive(letter.body, dict(letter.headers)))

    def _look(self, process, _step):
        process.sessions.look()

    def _reconcile(self, process, _step):
        process.checks.reconcile()

    def _wait(self, _process, step):
        self.world.clock.sleep(plans.WAITS_S[step.choice % len(plans.WAITS_S)])

    def _erase(self, process, step):
        if step.customer not in self.erased:
            self.erased.append(step.customer)
        process.sessions.erase(step.customer)
        process.checks.erase(step.customer)

    def _run_daily_jobs(self):
        """Nobody dies any more; each day all jobs run, and erasures are asked for again."""
        for _ in range(3):
            self.world.clock.sleep(86_400)
            for process in self.processes:
                process.checks.reconcile()
                process.sessions.look()
                for customer in self.erased:
                    process.sessions.erase(customer)
                    process.checks.erase(customer)
        for process in self.processes:
            for case in process.undoing:
                self.unpaid.remove(case)


@attrs.define
class _Acting:
    """A process in the middle of a step.

    Attributes:
        points, commits: Number of points that it has reached, and of its stores' commits.
        swap: What is still to come in between.
    """

    process: Process
    step: plans.Step
    points: int = 0
    commits: int = 0
    swap: tuple = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.swap = self.step.swap
