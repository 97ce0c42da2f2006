"""A vendor that answers later: how its job is followed to the end, and looked for afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Mapping
from typing import Any, ClassVar

import attrs

from .backend import RemoteBackend
from .errors import RateLimited, UnexpectedResponse, VendorUnavailable
from .messages import HttpReply, HttpRequest, Wait
from .refusals import FREE_BILLING, retry_after_s
from .transport import HttpClient

__all__ = ["JobFollower"]

#: After so many polls in a row that were lost or failed, `follow` gives up.
_MOST_FAILED_POLLS = 3
#: Seconds between polls of a vendor that names none, and the least that it may name.
_PAUSES_S, _LONGEST_PAUSE_S, _LEAST_PAUSE_S = (1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375), 10.0, 0.5


class JobFollower(RemoteBackend):
    """What an `HttpBackend` has for a vendor that answers later.

    Attributes:
        job_states: The vendor's words for the state of a job, and whether the job is over then
            (failed ones are). Empty where the status says it: 202 until then.
    """

    job_states: ClassVar[Mapping[str, bool]] = {}

    @property
    def client(self) -> HttpClient:
        """What sends the requests."""
        raise NotImplementedError

    def poll(self, url: str) -> HttpRequest:
        """The request that asks about a job: by default a GET that is free, without any header.

        Signed like every request. Override it to add a key: ``attrs.evolve(super().poll(url),
        headers=...)``.
        """
        return HttpRequest(
            method="GET", url=url, charges=0, on_refusal="raise", expects={200, 202, 303}
        )

    def job_state(self, reply: HttpReply) -> object:
        """The vendor's word for the state of a job; by default ``status`` of the body."""
        return reply.at("status")

    def has_ended(self, reply: HttpReply) -> bool:
        """Whether a job is over, as a reply about it says, by `job_states`.

        Raises:
            UnexpectedResponse: its state is none of these, so nobody knows whether it ever ends.
        """
        state = self.job_state(reply)
        if not self.job_states or (state is None and reply.status in (201, 202)):
            return reply.status not in (201, 202)
        if isinstance(state, str) and state in self.job_states:
            return self.job_states[state]
        word = f"{state!r:.60}" if isinstance(state, str) else type(state).__name__
        raise UnexpectedResponse(
            f"{self.name} says of a job that its state is {word}, which is none of its job_states: "
            "please report it.",
            billing=FREE_BILLING,
        )

    def follow(
        self, reply: HttpReply, url: str | None = None
    ) -> Generator[HttpRequest | Wait, HttpReply, HttpReply]:
        """The reply that ends a job: ``reply = yield from self.follow(reply)`` in `steps`.

        Asks by `poll` until `has_ended`. It waits as ``Retry-After`` says, half a second at least;
        else 1 s, and half as long again each time, up to 10 s. A 303 leads to the result, which is
        asked for at once. A poll that is lost, answered with a fault (5xx) or too early (429) is
        made again. After three that were lost or faults, without an answer between them, and after
        any other refusal the call ends: as `OutcomeUnknown`, for the job was accepted.

        Args:
            reply: The one that accepts the job.
            url: Where to ask; None for what `reply` names by ``Operation-Location`` or
                ``Location``. A later answer that names another place leads there.
        """
        pauses = itertools.chain(_PAUSES_S, itertools.repeat(_LONGEST_PAUSE_S))
        url = url or reply.location
        while not (reply.status == 303 or self.has_ended(reply)):
            retry_s = retry_after_s(reply, self.client.clock.now())
            yield Wait(next(pauses) if retry_s is None else max(retry_s, _LEAST_PAUSE_S))
            reply = yield from self._poll_until_answered(url, pauses)
            url = reply.location or url
        if reply.status == 303:
            reply = yield from self._poll_until_answered(reply.location, pauses, expects={200})
        return reply

    def _poll_until_answered(
        self, url: str | None, pauses: Iterator[float], **changes: Any
    ) -> Generator[HttpRequest | Wait, HttpReply, HttpReply]:
        if url is None:
            raise UnexpectedResponse(
                f"{self.name} does not say where to ask about a job: please report it.",
                billing=FREE_BILLING,
            )
        failures = 0
        while True:
            try:
                return (yield attrs.evolve(self.poll(url), **changes))
            except (RateLimited, VendorUnavailable) as refusal:
                failures += not isinstance(refusal, RateLimited)
                if not refusal.retryable or failures == _MOST_FAILED_POLLS:
                    raise
                retry_s = refusal.retry_after_s
            yield Wait(next(pauses) if retry_s is None else max(retry_s, _LEAST_PAUSE_S))
