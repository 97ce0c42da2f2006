"""A life: what customers, a vendor and daily jobs do by a plan, and what was wished and paid."""

import collections
import contextlib

import attrs
import requests
import sqlalchemy as sa
from kit.cards import CARDS
from simulation import plan as plans
from simulation.laws import find_faults
from simulation.world import ADA, WITHOUT_DOCUMENT, YEAR_S, Died, Process, World

import facematch_core as fm


def is_right(card):
    """Return whether a card shows the live face of the person p1."""
    return card.startswith("p1")


class Life:
    """Live by a plan in a database: `run` once.

    Attributes:
        log: A line for each action: how it ended, and the vendor's charges until then.
        deaths, swaps: Number of deaths, and of actions in between.
        charged: Number of charges of each wish: the call, the customer, the matter, the pictures,
            and whether it came after an erasure, which ends all earlier wishes.
        given_up: Number of unknown outcomes that were given up, by customer and matter.
        latest: The pictures of the upload that was begun last, by customer and matter.
        films: The cards that were shown in the sessions.
        page: What the desk was shown last: the kind, the step with the case, and the evidence.
        decided: The decisions that came back, with their customers.
        erased: The customers whose erasure was begun.
        gone: Those whose erasure has ended once.
        unpaid: The (kind, customer, matter) that may be used, since a process died on the way to
            the payout.
        faults: What must not be, as sentences.
    """

    def __init__(self, plan, address):
        self.plan = plan
        self.log = []
        self.deaths = self.swaps = 0
        self.charged = collections.Counter()
        self.given_up = collections.Counter()
        self.latest = {}
        self.films = {}
        self.page = None
        self.decided = []
        self.erased = []
        self.gone = set()
        self.unpaid = []
        self.faults = []
        #: The processes that act, with what they do; the last one in the place of the others.
        self._acting = []
        self.world = World(plan.vendor, address)

    def run(self):
        """Do the steps and three days of daily jobs; return the faults."""
        with self.world, contextlib.ExitStack() as stack:
            self.world.at_point = self._at_point
            self.world.after = self._after
            self.processes = [
                Process(self.world, number, ahead_s)
                for number, ahead_s in enumerate((0, self.plan.skew_s))
            ]
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
        if step.action in plans.BY_CUSTOMER and step.customer in self.erased:
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
        acting.places += 1
        if acting.swap and acting.places >= acting.step.swap_at:
            steps, acting.swap = acting.swap, ()
            self.swaps += 1
            for step in steps:
                self._act(step)

    def _after(self, done):
        """Count a "commit" or "request" that is done, and its charges; lose its answer perhaps."""
        if not self._acting:
            return
        acting = self._acting[-1]
        self._count_charges(acting.step)
        acting.done[done] += 1
        if (done, acting.done[done]) == (acting.step.loses, acting.step.loses_at):
            if done == "commit":
                raise fm.StoreUnavailable("The answer to a COMMIT was lost.")
            raise requests.ConnectionError("The answer to a request was lost.")

    def _count_charges(self, step):
        """Note for which wish the vendor has charged since it was asked last."""
        pictures = plans.UPLOADS[step.choice % len(plans.UPLOADS)]
        wish = (step.customer, step.matter, pictures, step.customer in self.erased)
        charges = self.world.uploads.charges()
        for charge in charges[self.charged.total() :]:
            self.charged[charge.what, step.action, *wish] += 1

    # What may happen, by a step.

    def _upload(self, process, step):
        """Check two pictures, and pay out."""
        pictures = plans.UPLOADS[step.choice % len(plans.UPLOADS)]
        self.latest[step.customer, step.matter] = pictures
        case = self._case_of(process, "upload", step)
        case.verify_live(*(CARDS[name] for name in pictures), retention=fm.Retention.KEEP)
        end = self._pay(process, "upload", step, case.use)
        shown = {pictures[0], self.latest[step.customer, step.matter][0]}
        # Decisions are judged by the rows.
        if end == "PAID" and not any(is_right(card) or card == "score-30" for card in shown):
            self.faults.append(f"{step.customer} was paid matter {step.matter} by {sorted(shown)}")
        return end

    def _give_up(self, process, step):
        # Counted before, because it may die in it.
        self.given_up[step.customer, step.matter] += 1
        if not self._case_of(process, "upload", step).give_up():
            self.given_up[step.customer, step.matter] -= 1

    def _begin(self, process, step):
        self._case_of(process, "session", step).begin()

    def _payout(self, process, step):
        if step.choice % 4 == 0:
            return self._pay(process, "upload", step, self._case_of(process, "upload", step).use)
        case = self._case_of(process, "session", step)
        return self._pay(process, "session", step, lambda **to: case.use(max_age_s=YEAR_S, **to))

    @staticmethod
    def _case_of(process, kind, step):
        store = process.checks if kind == "upload" else process.sessions
        return store.of(step.customer, purpose="payout", about=step.matter)

    def _pay(self, process, kind, step, use):
        """Pay out in the transaction of the use; or, for every third, in another one after it."""
        payout = {"kind": kind, "customer": step.customer, "matter": step.matter}
        case = tuple(payout.values())
        self.unpaid.append(case)
        is_together = step.choice % 3 > 0
        was_gone = step.customer in self.gone

        def use_once(**to):
            used = use(**to)
            if used and step.customer in self.gone and not was_gone:
                self.faults.append(f"matter {step.matter} of the erased {step.customer} was used")
            return used

        try:
            used = None if is_together else use_once()
        except fm.StoreUnavailable:
            process.undoing.append(case)
            raise
        with process.transaction() as connection:
            used = use_once(connection=connection) if is_together else used
            if used:
                payout["erased"] = int(step.customer in self.erased)
                query = "INSERT INTO payouts VALUES (:kind, :customer, :matter, :erased)"
                connection.execute(sa.text(query), payout)
        self.unpaid.remove(case)
        return "PAID" if used else f"use {used}"

    def _film(self, _process, step):
        """A person goes through an open session, mostly the newest; the vendor writes webhooks."""
        control = self.world.sessions.sessions
        sessions = [*control.open()]
        if not sessions:
            return "nobody"
        session = sessions[step.choice % len(sessions) if step.choice % 3 == 0 else -1]
        card, name = plans.FILMED[step.choice % len(plans.FILMED)]
        if self.plan.vendor not in WITHOUT_DOCUMENT:
            control.document(session.id, full_name=name, date_of_birth=ADA.date_of_birth)
        control.finish(session.id, card=CARDS[card])
        self.films[session.id] = (card, name)
        return f"{card}, {name}"

    def _decide(self, process, step):
        """A person decides by the page of a case, or by the last one, shown long ago perhaps."""
        if step.choice % 3 or self.page is None:
            for kind in ("upload", "session"):
                found = self._case_of(process, kind, step).find()
                if found is not None and found.evidence is not None:
                    self.page = (kind, step, found.evidence)
        if self.page is None:
            return "nothing to decide"
        kind, shown, evidence = self.page
        # In the other process, somebody else decides otherwise.
        decision = {
            "evidence": evidence,
            "accept": (step.choice + process.number) % 4 > 0,
            "by": f"staff-{process.number}",
            "reason": "seen",
        }
        case = self._case_of(process, kind, shown)
        if step.choice % 5 < 3:
            with process.transaction() as connection:
                decided = case.decide(**decision, connection=connection)
        else:
            decided = case.decide(**decision)
        self.decided.append((shown.customer, decided))
        return f"{kind} of {shown.customer} {shown.matter}: accept={decided.accept}"

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
        self.gone.add(step.customer)

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
        points, places: Number of points that it has reached, and of those without a transaction.
        done: Number of its stores' commits, and of its requests.
        swap: What is still to come in between.
    """

    process: Process
    step: plans.Step
    points: int = 0
    places: int = 0
    done: collections.Counter = attrs.field(factory=collections.Counter)
    swap: tuple = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.swap = self.step.swap
