"""What vendors that answer later have in common in the tests: one job, one score, one id."""

import attrs

import facematch_core as fm
from facematch_core.backend import Capabilities, decide_by_threshold
from facematch_core.http import ApiKeyBackend

JOBS_SCALE = "jobs/v1"
JOBS_KEY = "jobs-key-5d41402abc4b2a76"
JOBS_SECRET = fm.Secret(JOBS_KEY)


@attrs.frozen(kw_only=True)
class JobBackend(ApiKeyBackend):
    """Reads a job's answers; how it is followed is a matter of each."""

    capabilities = Capabilities(
        score_scale=JOBS_SCALE,
        default_threshold=50.0,
        billed_operations=frozenset({fm.Operation.MATCH}),
    )
    api_key: fm.Secret = JOBS_SECRET

    def parse(self, call, reply):
        score = fm.Score.from_fraction(reply.json()["similarity"], JOBS_SCALE)
        return fm.MatchResult(
            decision=decide_by_threshold(score, call.threshold), score=score, backend=self.name
        )

    def vendor_id(self, reply):
        return reply.at("job")

    def reconcilable(self, call):
        return call.vendor_id is not None

    def reconciliation(self, call, reply):
        """What a reply about the job of a record means; None for one that runs."""
        if reply is None:
            return fm.Reconciliation(outcome=fm.Reconciled.NOT_YET, call=call, reason="It runs.")
        ids = fm.Ids(call=call.id, vendor=call.vendor_id)
        result = attrs.evolve(self.parse(call, reply), ids=ids)
        return fm.Reconciliation(
            outcome=fm.Reconciled.FOUND, call=call, reason="It is done.", result=result
        )
