"""Clients that lose money, each in one way: what the machine has to find."""

import attrs
from kit.money.books import Books
from kit.money.process import Process

from facematch_core import Charged
from facematch_core.resilience import Retry


class Stubborn(Retry):
    """Repeats whatever failed."""

    def wait_s(self, error, passage, now):
        return 1.0 if passage.number <= self.times else None


class Repeating(Books):
    """A client that makes a call again whose answer was lost."""

    def retries(self):
        return Stubborn(times=1)


@attrs.define
class Hopeful(Process):
    """Takes a call for free whose charge is not known."""

    def finalize(self, entry, billed, **about):
        return super().finalize(entry, Charged.NO if billed is Charged.UNKNOWN else billed, **about)


class Forgetting(Books):
    """A client whose budget forgets what is unknown."""

    make_process = Hopeful
