"""A budget over each kind of store, against plain numbers: whatever happens, in whatever order."""

import datetime as dt
from decimal import Decimal

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kit.attempts import ending, new_attempt

from facematch_core import BudgetExceeded, Charged, Environment, Operation
from facematch_core.resilience import Budget, Period
from facematch_core.store import MemoryStore, State, expire_reservations
from facematch_core.store.records import LEASE_S
from facematch_core.testing import ManualClock

PRICES = {Operation.MATCH: Decimal("0.05"), Operation.LIVENESS: Decimal("0.03")}
#: Two budgets in one store: calls for good, and an amount a day.
CAPS = {"calls": Decimal(6), "money": Decimal("0.20")}
BILLED = st.sampled_from(Charged)
WHERE = st.sampled_from([Environment.PRODUCTION, Environment.MOCK])


@attrs.define(eq=False)
class Call:
    """One attempt, as the plain numbers know it.

    Attributes:
        record: The record of the call.
        keys: By budget: environment and day of the sum for which it counts.
        amounts: By budget: how much it counts.
        leaves: To be called with its end; None if its process is gone.
        states: By budget: as the store should have it.
    """

    record: object
    keys: dict
    amounts: dict
    leaves: list
    states: dict

    def end(self, state):
        """In each budget, for good or until it is reconciled."""
        self.states = dict.fromkeys(self.amounts, state)
        self.leaves = None


class Machine(RuleBasedStateMachine):
    """`store` and the plain list `calls` agree after each step."""

    def make_store(self):
        return MemoryStore()

    def reopened(self):
        """As another process finds it."""
        return self.store

    @initialize()
    def begin(self):
        self.clock = ManualClock()
        self.calls = []
        self.store = self.make_store()
        self.open_budgets()

    def open_budgets(self):
        calls = Budget(6, name="calls", store=self.store, clock=self.clock)
        money = Budget(
            CAPS["money"],
            name="money",
            currency="USD",
            price=PRICES,
            per=Period.DAY,
            store=self.store,
            clock=self.clock,
        )
        self.budgets = {"calls": calls, "money": money}

    def expected(self, name, key):
        """Spent, reserved and unknown of one sum, added up anew."""
        sums = {"spent": Decimal(0), "reserved": Decimal(0), "unknown": Decimal(0)}
        for call in self.calls:
            if call.keys[name] == key and call.states[name] in sums:
                sums[call.states[name]] += call.amounts[name]
        return tuple(sums.values())

    def give_up(self, name_and_key=None):
        """Make late reservations of one budget and key, or of all, unknown; return how many."""
        limit = self.clock.now() - dt.timedelta(seconds=LEASE_S)
        given_up = 0
        for call in self.calls:
            for name, key in call.keys.items():
                is_meant = name_and_key in (None, (name, key))
                is_late = call.record.started_at <= limit
                if is_meant and is_late and call.states[name] == "reserved":
                    call.states[name] = "unknown"
                    given_up += 1
        return given_up

    def keys(self, environment):
        """Which sums a call counts for that begins now."""
        return {
            "calls": (environment, ""),
            "money": (environment, self.clock.now().date().isoformat()),
        }

    @rule(operation=st.sampled_from(list(PRICES)), environment=WHERE, is_billed=st.booleans())
    def enter(self, operation, environment, is_billed):
        """A call passes both budgets, or neither keeps anything of it."""
        attempt = new_attempt(
            operation=operation,
            environment=environment,
            is_billed=is_billed,
            started_at=self.clock.now(),
        )
        amounts = {"calls": Decimal(1), "money": PRICES[operation]}
        keys = self.keys(environment)
        leaves = []
        for name, budget in self.budgets.items():
            before = self.expected(name, keys[name])
            has_room = not is_billed or sum(before) + amounts[name] <= CAPS[name]
            refusal = None
            try:
                leaves.append(budget.enter(attempt))
            except BudgetExceeded as error:
                refusal = error
            assert (refusal is None) is has_room
            if refusal is not None:
                sums = [refusal.spent, refusal.reserved, refusal.unknown]
                assert (sum(sums), refusal.cap) == (sum(before), CAPS[name])
                self.give_up((name, keys[name]))
                for leave in leaves:
                    leave(ending(Charged.NO))
                return
        if is_billed:
            states = dict.fromkeys(amounts, "reserved")
            self.calls.append(Call(attempt.call, keys, amounts, leaves, states))
        else:
            for leave in leaves:
                leave(ending(Charged.YES))

    def under_way(self):
        return [call for call in self.calls if call.leaves is not None]

    @precondition(lambda self: self.under_way())
    @rule(data=st.data(), billed=BILLED)
    def finish(self, data, billed):
        """A call ends."""
        call = data.draw(st.sampled_from(self.under_way()))
        for leave in call.leaves:
            leave(ending(billed))
            leave(ending(billed))
        call.end({"yes": "spent", "no": "free", "unknown": "unknown"}[billed])

    @rule()
    def crash(self):
        """The process is gone: what was under way stays reserved."""
        for call in self.under_way():
            call.leaves = None
        self.reopen()

    @rule()
    def reopen(self):
        """What stands is what was written."""
        self.store = self.reopened()
        self.open_budgets()

    @rule(hours=st.sampled_from([0.1, 0.5, 24]))
    def time_passes(self, hours):
        """Another day has another amount; the calls are for good."""
        self.clock.advance(hours * 3600)

    @rule()
    def doubt(self):
        """What nobody finished in time is given up, and what began later is not."""
        assert expire_reservations(self.store, self.clock.now()) == self.give_up()

    def unknown(self):
        return [call for call in self.calls if "unknown" in call.states.values()]

    @precondition(lambda self: self.unknown())
    @rule(data=st.data(), charged=st.booleans())
    def reconcile(self, data, charged):
        """What is unknown is found out."""
        call = data.draw(st.sampled_from(self.unknown()))
        entries = [e for e in self.store.open_reservations() if e.call.id == call.record.id]
        assert len(entries) == 2
        for entry in entries:
            billed = Charged.YES if charged else Charged.NO
            assert self.store.finalize(entry, billed, at=self.clock.now())
        call.end("spent" if charged else "free")

    @invariant()
    def sums_agree(self):
        """Every sum is what its calls add up to, and within its cap."""
        stored = set()
        for budget in self.store.budgets():
            name = budget.key.name
            key = (budget.key.environment, budget.key.window)
            stored.add((name, key))
            counted = (budget.spent, budget.reserved, budget.unknown)
            assert counted == self.expected(name, key)
            assert sum(counted) <= CAPS[name]
        for call in self.calls:
            assert stored >= set(call.keys.items())

    @invariant()
    def entries_agree(self):
        """Each call that is not final is there twice, once for each budget, and no other is."""
        expected = []
        for call in self.calls:
            for state in call.states.values():
                if state in ("reserved", "unknown"):
                    expected.append((call.record.id, State(state)))
        entries = [(entry.call.id, entry.state) for entry in self.store.open_reservations()]
        assert sorted(entries) == sorted(expected)
