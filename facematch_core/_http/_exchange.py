"""One exchange as it is seen at the socket: the first byte, the deadline, the amount.

Exceptions of an HTTP library do not tell whether a byte has left, and its time-outs count anew for
every wait. So the sockets report here, and ask here how long they may wait.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from facematch_core._basics import Clock


class DeadlineRanOut(TimeoutError):
    """Nothing may be waited for any more."""


class AnswerTooLong(OSError):
    """More bytes came in than any answer within the limits needs."""


class NotSent(Exception):
    """`on_sent` raised: the byte is held back. Not an OSError, which urllib3 would swallow."""


class Connected(Protocol):
    """A connection as the exchange sees it.

    Attributes:
        idle_since: When its last exchange was complete, on the clock of that; None before.
    """

    idle_since: float | None

    def drop(self) -> None:
        """Close it, whatever still refers to it."""


class Exchange:
    """One request and its answer.

    Args:
        clock: Time for the deadline. The sockets themselves wait in real time.
        deadline_s: Seconds from now for everything; None for no deadline.
        read_timeout_s: Longest wait for one piece of the upload or of the answer.
        max_received: Bytes off the wire, framing included, after which the answer is cut off.
        on_sent: Called once, before the first byte of the request is handed over.

    Attributes:
        sent: Whether the first byte was handed to the socket.
        expired: Whether our deadline, not a time-out, ended it.
        own: Whether the transport of this package carried it (a test double may not).
        refusal: What `on_sent` raised, if it did.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        deadline_s: float | None,
        read_timeout_s: float,
        max_received: int,
        on_sent: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._ends = None if deadline_s is None else self._started + deadline_s
        self._on_sent = on_sent
        self._cut = False
        self._left_to_receive = max_received
        self._socket: Connected | None = None
        self.read_timeout_s = read_timeout_s
        self.sent = False
        self.expired = False
        self.own = False
        self.refusal: BaseException | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, at least 0."""
        return max(0.0, self._clock.monotonic() - self._started)

    def idle_s(self, sock: Connected) -> float:
        """Seconds that `sock` has been unused."""
        return 0.0 if sock.idle_since is None else self._clock.monotonic() - sock.idle_since

    def wait_s(self, patience_s: float) -> float:
        """Seconds that the next wait may take: `patience_s`, or less if the deadline is nearer.

        Raises:
            DeadlineRanOut: nothing is left.
        """
        left = None if self._ends is None else self._ends - self._clock.monotonic()
        self._cut = left is not None and left < patience_s
        if left is None or left >= patience_s:
            return patience_s
        if left <= 0:
            self.expired = True
            raise DeadlineRanOut("The deadline ran out.")
        return left

    def hold(self) -> None:
        """Hold a transport that is not ours to the deadline, which it does not ask for.

        Raises:
            DeadlineRanOut: nothing is left.
        """
        if not self.own:
            self.wait_s(self.read_timeout_s)

    def timed_out(self, error: TimeoutError) -> None:
        """Note that a wait ended without success; by our time-out, unless the system gave up."""
        if error.errno is None and self._cut:
            self.expired = True

    def begin(self, sock: Connected | None = None) -> None:
        """Note the first byte, before it is handed over.

        Raises:
            NotSent: `on_sent` raised, so the byte must not leave.
        """
        self._socket = sock or self._socket
        if self.sent:
            return
        try:
            self._on_sent()
        except BaseException as error:  # noqa: BLE001 - raised again once the socket is closed
            self.refusal = error
            raise NotSent from None
        self.sent = True

    def received(self, count: int) -> None:
        """Count bytes off the wire; `AnswerTooLong` beyond the limit."""
        self._left_to_receive -= count
        if self._left_to_receive < 0:
            raise AnswerTooLong("The answer does not end.")

    def complete(self) -> None:
        """Note that the reply is read: the connection may serve again."""
        if self._socket is not None:
            self._socket.idle_since = self._clock.monotonic()

    def drop(self) -> None:
        """Close the connection that was used, whatever still refers to it."""
        if self._socket is not None:
            self._socket.drop()


#: The exchange that the running code belongs to: pooled sockets serve one after the other.
CURRENT: ContextVar[Exchange] = ContextVar("facematch_exchange")
