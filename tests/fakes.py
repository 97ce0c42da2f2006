"""A scripted backend, and pictures, for the tests of the core."""

import functools
import io
import threading
import zlib

import attrs
from PIL import Image as PillowImage

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    Image,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    Retention,
    Score,
    ThresholdRule,
    VendorUnavailable,
)
from facematch_core.backend import Backend, Capabilities

SCALE = "fake/v1"


@functools.cache
def picture(colour=(120, 130, 140), size=(40, 30), kind="JPEG") -> Image:
    """A small valid picture."""
    buffer = io.BytesIO()
    PillowImage.new("RGB", size, colour).save(buffer, kind)
    return Image.from_bytes(buffer.getvalue())


@attrs.frozen
class FakeOptions:
    """Options of the scripted backend."""

    level: int = 1


ALL = Capabilities(
    operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
    rotate=True,
    retention=frozenset(Retention),
    options=FakeOptions,
    threshold_rule=ThresholdRule.AT_LEAST,
    default_threshold=50.0,
    default_liveness_threshold=30.0,
    score_scale=SCALE,
    liveness_scale=SCALE,
    billed_operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
)


class FakeBackend(Backend):
    """Answers with `score`, or with whatever `script` holds: results, errors, callables."""

    name = "fake"
    reports_sent = True
    capabilities = ALL

    def __init__(self, score=80.0, script=(), *, environment=Environment.PRODUCTION, **can):
        self.score = score
        self.script = list(script)
        self.calls = []
        self.closed = 0
        self._environment = environment
        self._lock = threading.Lock()
        if can:
            self.capabilities = attrs.evolve(ALL, **can)

    @property
    def environment(self):
        return self._environment

    def match(self, call):
        return self._answer(call, MatchResult, Decision.MATCH, Decision.NO_MATCH)

    def check_liveness(self, call):
        good, bad = LivenessDecision.LIVE, LivenessDecision.NOT_LIVE
        return self._answer(call, LivenessResult, good, bad)

    def _answer(self, call, cls, good, bad):
        with self._lock:
            self.calls.append(call)
            step = self.script.pop(0) if self.script else None
        # What is unavailable, and not on any ground, was never reached.
        if not isinstance(step, VendorUnavailable) or step.status_code or step.billing.ground:
            call.on_sent()
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step = step(call)
        if step is not None:
            return step
        passes = True if call.threshold is None else call.threshold.passes(self.score)
        return cls(
            decision=good if passes else bad,
            score=Score(self.score, SCALE),
            backend=self.name,
            billing=Billing(Charged.YES, "the script says so"),
        )

    def close(self):
        self.closed += 1


def match_result(decision=Decision.MATCH, **fields):
    """A result as a backend would hand it over."""
    return MatchResult(decision=decision, backend="fake", **fields)


def liveness_result(decision=LivenessDecision.LIVE, **fields):
    """A liveness result as a backend would hand it over."""
    return LivenessResult(decision=decision, backend="fake", **fields)


def resealed(png):
    """A PNG with right checksums over whatever its chunks hold now."""
    sealed, at = png[:8], 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        chunk = png[at + 4 : at + 8 + size]
        sealed += png[at : at + 4] + chunk + zlib.crc32(chunk).to_bytes(4)
        at += 12 + size
    return sealed
