"""A user's program: never run, only type-checked, against every way of installing the library."""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import facematch_core as fm
from facematch_core.backend import Backend, Capabilities, MatchRequest
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_local import LocalBackend


def compare(selfie: bytes, card: Path) -> fm.Score | None:
    with fm.open_verifier("local", threshold=55, deadline_s=20) as verifier:
        result: fm.MatchResult = verifier.verify(
            selfie, card, review_threshold=70.5, metadata={"a": 1}
        )
        live: fm.LivenessResult = verifier.check_liveness(fm.Image.from_bytes(selfie))
        both: fm.LiveMatchResult = verifier.verify_live(fm.Image.read("a.jpg"), card)
        if result.decision is fm.Decision.MATCH and live.is_live and both.is_verified:
            return result.score
    return None


def look_up(
    verifier: fm.FaceVerifier, error: fm.VendorError, written: fm.CallRecord
) -> fm.Reconciliation:
    reconciliation = verifier.reconcile(error, deadline_s=30)
    return reconciliation if reconciliation.result is not None else verifier.reconcile(written)


def many(
    verifier: fm.FaceVerifier, pairs: Iterator[tuple[bytes, bytes, str]]
) -> list[fm.PairOutcome]:
    verifier.verify_many(pairs, limit=3)  # type: ignore[call-arg]
    return list(verifier.verify_many(pairs, max_workers=2))


def either(verifier: fm.Verifier, selfie: bytes, card: bytes) -> fm.MatchResult:
    return verifier.verify(selfie, card, deadline_s=20)


def failover(first: fm.FaceVerifier, second: fm.FaceVerifier, selfie: bytes) -> str | None:
    with fm.Failover({"shop": first, "backup": second}) as both:
        result: fm.MatchResult = both.verify(selfie, selfie, deadline_s=20)
        live: fm.LivenessResult = both.check_liveness(selfie)
        members: Mapping[str, fm.FaceVerifier] = both.members
        route = either(both, selfie, selfie).route
        assert route is not None
        return route.answered_by or str((result, live, members))


def share(first: fm.FaceVerifier, both: fm.Failover, selfie: bytes) -> str:
    with fm.Share({"shop": first, "ha": both}, {"shop": 90, "ha": 10.0}, key=b"secret") as shared:
        shared.verify(selfie, selfie, caller_ref="c-1")
        shared.check_liveness(selfie, caller_ref="request-1", share_key="c-1")
        shared.set_percent({"shop": 100, "ha": 0})
        member: fm.FaceVerifier | fm.Failover = shared.members["shop"]
        return shared.choose("c-1") + str((either(shared, selfie, selfie), member))


def shadow(first: fm.FaceVerifier, second: fm.FaceVerifier, selfie: bytes) -> str:
    with (
        fm.CallLog("sqlite:///calls.sqlite3", key=b"secret") as log,
        fm.Shadow(first, second, log=log, asks_if=lambda call: call.caller_ref is None) as both,
    ):
        result: fm.MatchResult = both.verify(selfie, selfie, threshold=50)
        counts: Mapping[str, int] = both.counts
        candidate: fm.FaceVerifier = both.candidate
        return log.digest("c-1") + str((result, counts, candidate, log.forget("c-1")))


def session(store: fm.SessionStore, customer: str, picture: bytes) -> bool:
    store.of(customer, purpose="payout")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    login: fm.VerificationCase = store.of(customer, purpose="login", about=None)
    begun: fm.StoredSession = login.begin(reference=picture, language="es")
    found: fm.StoredSession | None = login.find()
    reasons: tuple[str, ...] = login.why_not(max_age_s=600)
    erased: tuple[fm.Erased, ...] = store.erase(customer)
    use: fm.Use = login.use(max_age_s=600, connection=sqlite3.connect("shop.sqlite3"))
    return use is fm.Use.FIRST and str((begun, found, reasons, erased)) != ""


async def async_session(store: fm.AsyncSessionStore, customer: str, picture: bytes) -> bool:
    login: fm.AsyncVerificationCase = store.of(customer, purpose="login", about=None)
    begun: fm.StoredSession = await login.begin(reference=picture)
    seen: tuple[fm.StoredSession, ...] = await store.look(at_most=1)
    erased: tuple[fm.Erased, ...] = await store.erase(customer)
    return bool(await login.use(max_age_s=600)) and str((begun, seen, erased)) != ""


def check(store: fm.CheckStore, customer: str, picture: bytes) -> bool:
    store.of(customer, purpose="payout")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    login: fm.CheckCase = store.of(customer, purpose="login", about=None)
    login.verify(picture, picture, threshold=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    both: fm.LiveMatchResult = login.verify_live(picture, picture, deadline_s=20)
    found: fm.StoredCheck | None = login.find()
    search: fm.Reconciliation | None = login.reconcile()
    unknown: tuple[fm.StoredCheck, ...] = store.unknown()
    if found is not None and found.evidence is not None:
        decided: fm.ReviewDecision = login.decide(
            evidence=found.evidence, accept=True, by="staff-7", reason="the same mole"
        )
        assert decided.accept
        assert found.decisions != (decided,)
    erased: tuple[fm.Erased, ...] = store.erase(customer)
    use: fm.Use = login.use(connection=sqlite3.connect("shop.sqlite3"))
    return use is fm.Use.FIRST and str((both.decision, found, search, unknown, erased)) != ""


async def async_check(store: fm.AsyncCheckStore, customer: str, picture: bytes) -> bool:
    login: fm.AsyncCheckCase = store.of(customer, purpose="login", about=None)
    live: fm.LivenessResult = await login.check_liveness(picture)
    match: fm.MatchResult = await login.verify(picture, picture, retry=False)
    await login.decide(evidence="1f", accept=False, by="staff-7", reason="a print")
    erased: tuple[fm.Erased, ...] = await store.erase(customer)
    return bool(await login.use()) and str((live.decision, match.decision, erased)) != ""


def opened(name: str | None) -> fm.Verifier:
    by_name: fm.FaceVerifier = fm.open_verifier("local", threshold=55)
    by_profile: fm.Verifier = fm.open_verifier(profile="ha", config="facematch.toml")
    return fm.open_verifier(name) if by_name.policies else by_profile


def charge_of(error: fm.FaceMatchError) -> str:
    return str(error.billing.charged) if isinstance(error, fm.VendorError) else type(error).__name__


class Mine(Backend):
    name = "mine"
    capabilities = Capabilities(reports_faces=True)

    def match(self, request: MatchRequest) -> fm.MatchResult:
        return fm.MatchResult(decision=fm.Decision.REVIEW, backend=self.name)


class Remote(HttpBackend):
    name = "remote"

    def build(self, request: object) -> HttpRequest:
        return HttpRequest(url="https://api.example/match")

    def parse(self, request: object, reply: HttpReply) -> fm.MatchResult:
        return fm.MatchResult(decision=fm.Decision.REVIEW, backend=self.name, raw=reply.json())


names: list[str] = [info.name for info in fm.available_backends()]
verifier = fm.FaceVerifier(LocalBackend(cached_pictures=10), threshold=60)
document: dict[str, object] = verifier.verify(b"", b"").to_dict()
again: fm.MatchResult = fm.MatchResult.from_dict(document)
