"""What to ask Latterly, and what its answers mean.

**Latterly is invented**, and so are these facts. Yours name their source and day:
"Latterly API reference, Jobs, read 2026-11-21".

It takes a comparison as a job, charges for it at once, and is then asked until the job is done.
"""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Decision,
    Ids,
    MatchResult,
    Operation,
    Reconciled,
    Reconciliation,
    RequestRejected,
    ResultWarning,
    Score,
    Severity,
    Threshold,
    WarningCode,
)
from facematch_core.backend import (
    NO_FACE,
    Call,
    Capabilities,
    Image,
    ImageFormat,
    ImageLimits,
    MatchCall,
    decide_by_threshold,
)
from facematch_core.deadline import NO_DEADLINE, Deadline
from facematch_core.http import ApiKeyBackend, HttpReply, HttpRequest, Steps

#: Who may receive the key and the faces, beside this machine.
HOST = "api.latterly.example"
SCALE = "latterly/likeness"

PAID = Billing(Charged.YES, "Latterly charges each job it accepts", charges=1)


# Pyright has the rules of dataclasses; attrs lets a frozen class inherit from one that is not.
@attrs.frozen(kw_only=True)  # pyright: ignore[reportGeneralTypeIssues]
class LatterlyBackend(ApiKeyBackend):
    """Compares two faces at Latterly.

    The key may come from ``LATTERLY_API_KEY``.
    """

    name = "latterly"
    allowed_hosts = frozenset({HOST})
    capabilities = Capabilities(
        default_threshold=75.0,
        score_scale=SCALE,
        billed_operations=frozenset({Operation.MATCH}),
        image_limits=ImageLimits(
            formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=2_000_000, max_side_px=4096
        ),
    )
    #: Each state of a job, and whether it is over then. Another one ends the call as an error.
    job_states: ClassVar[Mapping[str, bool]] = {
        "queued": False,
        "running": False,
        "done": True,
        "failed": True,
    }

    base_url: str = f"https://{HOST}"

    def steps(self, call: MatchCall) -> Steps:
        """A job that is followed to its end; then Latterly forgets it.

        What is made before it, a person or a file, is a request with ``charges=0`` and has a
        clean-up as well.
        """
        reply = yield HttpRequest(
            url=f"{self.address}/jobs",
            headers={"X-Api-Key": self.api_key},
            json={"probe": in_base64(call.probe), "reference": in_base64(call.reference)},
            expects={202},
        )
        if reply.location:
            job = self.poll(reply.location)
            yield attrs.evolve(job, method="DELETE", on_refusal="end", is_cleanup=True)
        reply = yield from self.follow(reply)
        return job_result(reply.json(), call.threshold)

    def poll(self, url: str) -> HttpRequest:
        """A question about a job, with the key."""
        return attrs.evolve(super().poll(url), headers={"X-Api-Key": self.api_key})

    def job_state(self, reply: HttpReply) -> object:
        """In every answer about a job."""
        return reply.at("state")

    def vendor_id(self, reply: HttpReply) -> str | None:
        """That of the job, which is in every answer about it.

        None for a reply that only has the id of something else: `reconcile` looks under this one.
        """
        job = reply.at("id")
        return job if isinstance(job, str) else None

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Whether `reconcile` can look: for a day, by the id, whatever was asked to be kept."""
        return call.vendor_id is not None

    def reconcile(self, call: CallRecord, *, deadline: Deadline = NO_DEADLINE) -> Reconciliation:
        """Ask once what became of a job: only for records that are `reconcilable`."""
        url = f"{self.address}/jobs/{call.vendor_id}"
        try:
            reply = self.fetch_job(url, call=call, deadline=deadline)
        except RequestRejected as refusal:
            if refusal.status_code != 404:
                raise
            reason = "Latterly has no such job: it forgets them after a day."
            return Reconciliation(outcome=Reconciled.CANNOT_KNOW, call=call, reason=reason)
        if reply is None:
            reason = "Latterly has not finished it yet."
            return Reconciliation(outcome=Reconciled.NOT_YET, call=call, reason=reason)
        ids = Ids(call=call.id, vendor=call.vendor_id)
        result = attrs.evolve(job_result(reply.json(), call.threshold), ids=ids, billing=PAID)
        reason = f"Latterly's job {call.vendor_id} has ended."
        return Reconciliation(outcome=Reconciled.FOUND, call=call, reason=reason, result=result)


def job_result(job: Any, threshold: Threshold | None) -> MatchResult:
    """The result of a job that has ended.

    Raises:
        Exception: of any kind, if it is not as documented.
    """
    if job["state"] == "failed":
        return MatchResult(
            decision=Decision.INCONCLUSIVE,
            warnings=(why_failed(job["reason"]),),
            backend="latterly",
            vendor_status="failed",
            raw=job,
        )
    score = Score.from_fraction(job["similarity"], SCALE, raw_name="similarity")
    return MatchResult(
        decision=decide_by_threshold(score, threshold),
        score=score,
        backend="latterly",
        vendor_status="done",
        raw=job,
    )


def why_failed(reason: str) -> ResultWarning:
    """What the reason of a failed job means. One that no document names is kept as it is."""
    if reason == "no_face":
        return NO_FACE
    return ResultWarning(code=WarningCode.OTHER, tag=reason, severity=Severity.ERROR)


def in_base64(image: Image) -> str:
    """A picture as JSON can carry it."""
    return base64.b64encode(image.data).decode()
