"""What vendors that answer later have in common in the tests: one job, one score, one id."""

import json

import attrs
from kit.fakes import PROBE, REFERENCE
from kit.rawserver import http_reply, one_each

import facematch_core as fm
from facematch_core.backend import Capabilities, decide_by_threshold
from facematch_core.http import ApiKeyBackend, HttpReply

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
    allowed_hosts = frozenset({"api.jobs.example"})
    api_key: fm.Secret = JOBS_SECRET
    base_url: str = "https://api.jobs.example"

    def parse(self, request, reply):
        score = fm.Score.from_fraction(reply.json()["similarity"], JOBS_SCALE)
        return fm.MatchResult(
            decision=decide_by_threshold(score, request.threshold), score=score, backend=self.name
        )

    def vendor_id(self, reply):
        return reply.at("job")

    def reconcilable(self, call):
        return call.vendor_id is not None

    def reconcile(self, call, *, deadline):
        raise AssertionError("nobody has asked")


def reply(status, document=None, **headers):
    body = b"" if document is None else json.dumps(document).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, body=body, headers=headers)


def served(*replies):
    """A server that gives one answer for each connection; None for one that does not come."""
    answers = []
    for each in replies:
        if each is None:
            answers.append(b"")
        else:
            headers = [f"{name}: {value}" for name, value in each.headers.items()]
            answers.append(http_reply(each.status, each.body, "Connection: close", *headers))
    return one_each(*answers)


def verify(server, clock, backend_class, deadline_s=None, on_event=None, **settings):
    backend = backend_class(base_url=server.url, **settings)
    with fm.FaceVerifier(backend, clock=clock, on_event=on_event) as verifier:
        return verifier.verify(PROBE, REFERENCE, deadline_s=deadline_s)


def paths(server):
    return [request.split()[1].decode() for request in server.requests]
