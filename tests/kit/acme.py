"""A vendor of the tests over HTTP: it answers ``{"same": true}`` or ``{"live": true}``."""

import attrs

import facematch_core as fm
from facematch_core.backend import Capabilities, LivenessRequest
from facematch_core.http import HttpBackend, HttpRequest
from facematch_core.http import file_part as part_of

#: What must never be seen.
ACME_KEY = "sk-7Qm2XvT9pLw4ZrK8nBd3Ys6HcJ1f"
ACME_SECRET = fm.Secret(ACME_KEY)
#: Nobody is asked there.
NOWHERE = "http://127.0.0.1:1"
BOTH = frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS})


@attrs.frozen(kw_only=True)
class AcmeBackend(HttpBackend):
    name = "acme"
    capabilities = Capabilities(
        operations=BOTH, retention=frozenset(fm.Retention), billed_operations=BOTH
    )
    api_key: fm.Secret = ACME_SECRET
    base_url: str = NOWHERE

    def build(self, request):
        parts = [part_of("probe", request.probe)]
        if not isinstance(request, LivenessRequest):
            parts.append(part_of("reference", request.reference))
        return HttpRequest(
            url=f"{self.base_url.rstrip('/')}/compare",
            headers={"X-Api-Key": self.api_key},
            fields={"ref": request.caller_ref or ""},
            files=parts,
        )

    def parse(self, request, reply):
        body = reply.json()
        about = {"backend": "acme", "billing": fm.Billing(fm.Charged.YES)}
        if isinstance(request, LivenessRequest):
            live = {True: fm.LivenessDecision.LIVE, False: fm.LivenessDecision.NOT_LIVE}
            return fm.LivenessResult(decision=live[body["live"]], **about)
        same = {True: fm.Decision.MATCH, False: fm.Decision.NO_MATCH}
        return fm.MatchResult(decision=same[body["same"]], **about)
