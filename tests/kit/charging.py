"""Two threads act on one session: the second one while the first one is being charged."""

import threading


def act_during_first_charge(monkeypatch, ledger, act):
    """Let `act` run to its end, in a thread of its own, before the next charge is made."""
    charge = ledger.charge
    waiting = [act]

    def charge_after_act(*arguments, **named):
        if waiting:
            thread = threading.Thread(target=waiting.pop())
            thread.start()
            thread.join(10)
            assert not thread.is_alive(), "the charge blocks other threads"
        return charge(*arguments, **named)

    monkeypatch.setattr(ledger, "charge", charge_after_act)
