"""A client process that can end in the middle of anything, without a process."""

import attrs


class Gone(BaseException):
    """The process is no more: nothing that it holds is written down any further."""


@attrs.define
class Process:
    """What a client process is for its store: whether it lives.

    Attributes:
        store: What outlives it.
        at: Called with "reserved" and "settling" at those moments.
    """

    store: object
    at: object
    lives: bool = True

    def reserve(self, entry, cap, **about):
        full = self.store.reserve(entry, cap, **about)
        self.at("reserved")
        return full

    def finalize(self, entry, billed, **about):
        if not self.lives:
            raise Gone
        self.at("settling")
        return self.store.finalize(entry, billed, **about)

    def __getattr__(self, name):
        return getattr(self.store, name)
