"""What to ask Latterly, and what its answers mean.

**Latterly is invented**, and so are its facts, which README.md lists. It takes a comparison as a
job, charges for it at once, and is then asked until the job is done.
"""

import base64
from typing import Any
from urllib.parse import urljoin

import attrs
from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Decision,
    Ids,
    MatchResult,
    Operation,
    RateLimited,
    Reconciled,
    Reconciliation,
    ResultWarning,
    Score,
    Severity,
    Threshold,
    VendorUnavailable,
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
from facematch_core.http import (
    ApiKeyBackend,
    HttpReply,
    HttpRequest,
    Steps,
    Wait,
    retry_after_s,
)

HOST = "api.latterly.example"
SCALE = "latterly/likeness"

PAID = Billing(Charged.YES, "Latterly charges for each job that it accepts", charges=1)


@attrs.frozen(kw_only=True)  # pyright: ignore[reportGeneralTypeIssues]
class LatterlyBackend(ApiKeyBackend):
    """Compares two faces at Latterly.

    Args:
        api_key: The key. May come from ``LATTERLY_API_KEY``.
        poll_interval_s: Fewest seconds between two questions; Latterly may ask for more.
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

    base_url: str = f"https://{HOST}"
    poll_interval_s: float = 1.0

    def steps(self, call: MatchCall) -> Steps:
        """A job, and questions until it has ended."""
        reply = yield self.submit(call)
        job = urljoin(self.address, reply.headers["Location"])
        pause_s = retry_after_s(reply)
        while True:
            yield Wait(max(self.poll_interval_s, pause_s or 0))
            try:
                reply = yield self.poll(job)
            except (RateLimited, VendorUnavailable) as refusal:
                # The job goes on, whatever became of the question.
                pause_s = refusal.retry_after_s if isinstance(refusal, RateLimited) else None
                continue
            if has_ended(reply.json()):
                return job_result(reply.json(), call.threshold)
            pause_s = retry_after_s(reply)

    def submit(self, call: MatchCall) -> HttpRequest:
        """The job: 202, and charged."""
        return HttpRequest(
            url=f"{self.address}/jobs",
            headers={"X-Api-Key": self.api_key},
            json={"probe": in_base64(call.probe), "reference": in_base64(call.reference)},
            expects={202},
        )

    def poll(self, url: str) -> HttpRequest:
        """A question about a job. It is free, so that it may be asked again after a refusal."""
        return HttpRequest(
            method="GET",
            url=url,
            headers={"X-Api-Key": self.api_key},
            charges=0,
            on_refusal="raise",
        )

    def vendor_id(self, reply: HttpReply) -> str | None:
        """That of the job, which is in every answer about it."""
        job = reply.at("id")
        return job if isinstance(job, str) else None

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Latterly knows each job for a day, by its id, whatever it was asked to keep."""
        return call.vendor_id is not None

    def reconcile(self, call: CallRecord, *, deadline: Deadline = NO_DEADLINE) -> Reconciliation:
        """Ask once what became of a job: only for records that are `reconcilable`."""
        request = self.poll(f"{self.address}/jobs/{call.vendor_id}")
        reply = self.fetch(attrs.evolve(request, expects={200, 404}), deadline=deadline)
        if reply.status == 404 or not has_ended(reply.json()):
            reason = "Latterly has no such job, or has not finished it yet."
            return Reconciliation(outcome=Reconciled.NOT_YET, call=call, reason=reason)
        ids = Ids(call=call.id, vendor=call.vendor_id)
        result = attrs.evolve(job_result(reply.json(), call.threshold), ids=ids, billing=PAID)
        reason = f"Latterly's job {call.vendor_id} has ended."
        return Reconciliation(outcome=Reconciled.FOUND, call=call, reason=reason, result=result)


def has_ended(job: Any) -> bool:
    """Whether there is a result; any other word than the documented ones is a fault."""
    return {"queued": False, "running": False, "done": True, "failed": True}[job["state"]]


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
