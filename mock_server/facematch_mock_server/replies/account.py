"""The own replies of one account."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from facematch_mock_server.base.messages import Request

from .own_reply import STARTED, OwnReply


class Replies:
    """The own replies of one account, and the states of their scenarios. Thread-safe.

    Args:
        shared: The replies of all accounts.

    Attributes:
        all: The replies, in the order of their adding.
    """

    def __init__(self, shared: Sequence[OwnReply] = ()) -> None:
        self._lock = threading.Lock()
        self._shared = tuple(shared)
        self.all = self._shared
        self._states: dict[str, str] = {}
        #: The number of calls that each reply has answered, by `id()`.
        self._uses: dict[int, int] = {}

    def add(self, replies: Iterable[OwnReply]) -> None:
        """Add replies for this account alone."""
        with self._lock:
            self.all = (*self.all, *replies)

    def clear(self) -> None:
        """Remove the replies of this account alone, and begin all scenarios again."""
        with self._lock:
            self.all = self._shared
            self._states.clear()

    def uses_of(self, reply: OwnReply) -> int:
        """Return how many calls a reply has answered."""
        return self._uses.get(id(reply), 0)

    @property
    def unused(self) -> tuple[OwnReply, ...]:
        """The replies of this account alone that have answered no call."""
        added = self.all[len(self._shared) :]
        return tuple(reply for reply in added if not self.uses_of(reply))

    def find_by_path(self, head: Request) -> OwnReply | None:
        """Return a reply for the method and path of a request, whatever its other conditions.

        One that names its vendor goes before the others.
        """
        found = [reply for reply in self.all if reply.request.match_path(head) is not None]
        for reply in found:
            if reply.vendor is not None:
                return reply
        return found[0] if found else None

    def take(self, request: Request, vendor: str, *, is_imitated: bool) -> OwnReply | None:
        """Return the reply to a request, and move its scenario on; None if there is none.

        As at WireMock, the lowest priority goes first, and of the same priority the newest reply.

        Args:
            request: The request.
            vendor: The vendor that is called.
            is_imitated: Whether the mock has an answer of its own.
        """
        with self._lock:
            found = []
            for reply in reversed(self.all):
                may_answer = reply.is_instead or not is_imitated
                is_of_vendor = reply.vendor in (None, vendor)
                if may_answer and is_of_vendor and self._is_due(reply) and reply.fits(request):
                    found.append(reply)
            if not found:
                return None
            taken = min(found, key=lambda reply: reply.priority)
            scenario = taken.scenario
            if scenario is not None and scenario.new_state is not None:
                self._states[scenario.name] = scenario.new_state
            self._uses[id(taken)] = self.uses_of(taken) + 1
            return taken

    def _is_due(self, reply: OwnReply) -> bool:
        """Return whether the scenario of a reply is in the state that it requires."""
        scenario = reply.scenario
        if scenario is None or scenario.required_state is None:
            return True
        return self._states.get(scenario.name, STARTED) == scenario.required_state
