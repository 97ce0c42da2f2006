"""A client process that can end in the middle of anything, without a process."""

import attrs

from facematch_core.store import Owner


class Gone(BaseException):
    """The process is no more: nothing that it holds is written down any further."""


@attrs.define
class Process:
    """What a client process is for its store: a number, and whether it lives.

    Attributes:
        store: What outlives it.
        number: Of no process of this machine.
        at: Called with "reserved" and "settling" at those moments.
    """

    store: object
    number: int
    at: object
    lives: bool = True

    def reserve(self, entry, cap):
        owner = attrs.evolve(Owner.here(), pid=2**22 + self.number)
        full = self.store.reserve(attrs.evolve(entry, owner=owner), cap)
        self.at("reserved")
        return full

    def finalize(self, entry, billed, **about):
        if not self.lives:
            raise Gone
        self.at("settling")
        return self.store.finalize(entry, billed, **about)

    def __getattr__(self, name):
        return getattr(self.store, name)
