"""A user's program: never run, only type-checked, against every way of installing the library."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from facematch_core import (
    Calibration,
    CallRecord,
    Decision,
    FaceMatchError,
    FaceVerifier,
    Failover,
    Image,
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    PairOutcome,
    Reconciliation,
    Score,
    VendorError,
    Verifier,
    available_backends,
    open_verifier,
)
from facematch_core.backend import Backend, Capabilities, MatchCall
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_local import LocalBackend


def compare(selfie: bytes, card: Path) -> Score | None:
    with open_verifier("local", threshold=55, deadline_s=20) as verifier:
        result: MatchResult = verifier.verify(
            selfie, card, review_threshold=70.5, metadata={"a": 1}
        )
        live: LivenessResult = verifier.check_liveness(Image.from_bytes(selfie))
        both: LiveMatchResult = verifier.verify_live(Image.read("a.jpg"), card)
        if result.decision is Decision.MATCH and live.is_live and both.is_verified:
            return result.score
    return None


def settle(verifier: FaceVerifier, error: VendorError, written: CallRecord) -> Reconciliation:
    told = verifier.reconcile(error, deadline_s=30)
    return told if told.result is not None else verifier.reconcile(written)


def many(verifier: FaceVerifier, pairs: Iterator[tuple[bytes, bytes, str]]) -> list[PairOutcome]:
    verifier.verify_many(pairs, limit=3)  # type: ignore[call-arg]
    return list(verifier.verify_many(pairs, max_workers=2, rotate=True))


def either(verifier: Verifier, selfie: bytes, card: bytes) -> MatchResult:
    return verifier.verify(selfie, card, deadline_s=20)


def failover(first: FaceVerifier, second: FaceVerifier, selfie: bytes) -> str | None:
    with Failover({"shop": first, "backup": second}) as both:
        result: MatchResult = both.verify(selfie, selfie, threshold={"shop": 50, "backup": 60.5})
        live: LivenessResult = both.check_liveness(selfie, review_threshold={"shop": 90})
        asked: Mapping[str, FaceVerifier] = both.members
        route = either(both, selfie, selfie).route
        assert route is not None
        return route.answered_by or str((result, live, asked))


def thresholds_are_of_one_kind(
    one: FaceVerifier, both: Failover, any_: Verifier, number: Verifier[float], selfie: bytes
) -> None:
    """The errors are wanted: without one of them, its comment is reported."""
    one.verify(selfie, selfie, threshold={"shop": 60})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    both.verify(selfie, selfie, threshold=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    both.check_liveness(selfie, review_threshold=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    number.verify(selfie, selfie, threshold={"shop": 60})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    any_.verify(selfie, selfie, threshold=60)
    any_.verify(selfie, selfie, threshold={"shop": 60})
    thresholds_are_of_one_kind(one, both, both, one, selfie)


def opened(name: str | None) -> Verifier:
    by_name: FaceVerifier = open_verifier("local", threshold=55)
    by_profile: Verifier = open_verifier(profile="ha", config="facematch.toml")
    return open_verifier(name) if by_name.policies else by_profile


def calibrated(verifier: Verifier, selfie: bytes, written: Mapping[str, object]) -> float:
    one = FaceVerifier(LocalBackend(), calibration=Path("local.calibration.json"))
    made: Calibration = Calibration.from_dict(written)
    results: list[MatchResult] = [v.verify(selfie, selfie, max_fmr=1e-3) for v in (verifier, one)]
    both: LiveMatchResult = verifier.verify_live(selfie, selfie, max_fmr=1e-4)
    return made.threshold_for(1e-3) if results and both.is_verified else made.points[0].upper


def told(error: FaceMatchError) -> str:
    return str(error.billing.charged) if isinstance(error, VendorError) else type(error).__name__


class Mine(Backend):
    name = "mine"
    capabilities = Capabilities(rotate=True)

    def match(self, call: MatchCall) -> MatchResult:
        return MatchResult(decision=Decision.REVIEW, backend=self.name)


class Remote(HttpBackend):
    name = "remote"

    def build(self, call: object) -> HttpRequest:
        return HttpRequest(url="https://api.example/match")

    def parse(self, call: object, reply: HttpReply) -> MatchResult:
        return MatchResult(decision=Decision.REVIEW, backend=self.name, raw=reply.json())


names: list[str] = [info.name for info in available_backends()]
verifier = FaceVerifier(LocalBackend(cached_pictures=10), threshold=60)
document: dict[str, object] = verifier.verify(b"", b"").to_dict()
again: MatchResult = MatchResult.from_dict(document)
