"""`SimulatedBackend`: a matcher with known error rates that any program can ask."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from statistics import NormalDist
from typing import Any, ClassVar, Final, TypeAlias

import attrs

from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    Decision,
    Environment,
    Face,
    Image,
    InvalidImage,
    InvalidRequest,
    MatchResult,
    ResultWarning,
    ScaleSource,
    Score,
    Severity,
    SystemClock,
    ThresholdRule,
    Unsupported,
    VendorUnavailable,
    WarningCode,
)
from facematch_core.backend import Backend, Capabilities, MatchCall

from .vendors import SimulatedVendor

#: The entry-point group of functions that read a test card: from the bytes of a picture to
#: something with ``person`` (text) and ``faces`` (a number), or to None.
GROUP: Final = "facematch.card_readers"

_NORMAL: Final = NormalDist()
_GROUND: Final = "runs on this machine"


def _can(vendor: SimulatedVendor) -> Capabilities:
    told = not vendor.decisions_only
    return Capabilities(
        threshold_rule=vendor.rule if told else ThresholdRule.VENDOR,
        default_threshold=vendor.threshold if told else None,
        score_scale=vendor.scale,
        reports_faces=True,
    )


@attrs.define(kw_only=True, eq=False, slots=False)
class SimulatedBackend(Backend):
    """Makes scores up, with error rates that are known, for trying and testing comparisons.

    It looks at no face: it knows people by a table of digests (`truth`, `people`), and from test
    cards. A picture that it does not know shows somebody of its own. The same pictures and settings
    give the same answer, whatever the order: also an outage stays one. Its environment is MOCK.

    Args:
        model: Names the scale and, with `seed`, the noise: 1 or more characters.
        fmr, fnmr, rule, goats, wolves, common, fta, outage, decimals, decisions_only, latency_s: As
            of `SimulatedVendor`; `rule` is ABOVE or AT_LEAST. It takes its latency, too.
        default_threshold: Its own threshold: above 0, below 100.
        seed: Another one gives other scores. What is `common` to vendors does not depend on it.
        truth: A study (a file of pairs, or a folder with one for each person) that says who is in
            which picture.
        people: The same as data: SHA-256 of a picture's bytes, in hex, to the person, or to None
            if it shows no face.

    Raises:
        ConfigurationError: a value is out of range, or the study cannot be read.
    """

    model: str = "v1"
    fmr: float = 1e-3
    fnmr: float = 1e-2
    default_threshold: float = 50.0
    rule: ThresholdRule = ThresholdRule.AT_LEAST
    goats: float = 0.0
    wolves: float = 0.0
    common: float = 0.0
    fta: float = 0.0
    outage: float = 0.0
    decimals: int | None = 2
    decisions_only: bool = False
    latency_s: float | None = None
    seed: int = 0
    truth: Path | None = None
    people: Mapping[str, str | None] | None = attrs.field(default=None, repr=False)
    vendor: SimulatedVendor = attrs.field(init=False, repr=False)
    _people: _People = attrs.field(init=False, repr=False)
    _clock: SystemClock = attrs.field(init=False, repr=False, factory=SystemClock)

    name: ClassVar[str] = "simulated"
    capabilities: ClassVar[Capabilities] = _can(SimulatedVendor(name="v1"))

    def __attrs_post_init__(self) -> None:
        for name, holds, words in _KINDS:
            if not holds(getattr(self, name)):
                raise ConfigurationError(f"{name} must be {words}.")
        own = {name: getattr(self, name) for name in _SHARED}
        try:
            self.vendor = SimulatedVendor(name=self.model, threshold=self.default_threshold, **own)
            known, same = _people_in(self.truth) if self.truth is not None else ({}, {})
        except InvalidRequest as error:
            problem = error.message
        else:
            self._people = _People({**known, **(self.people or {})}, same, _card_readers())
            vars(self)["capabilities"] = _can(self.vendor)
            return
        raise ConfigurationError(problem)

    @property
    def environment(self) -> Environment:
        """Always MOCK."""
        return Environment.MOCK

    def match(self, call: MatchCall) -> MatchResult:
        """Make a score up.

        Raises:
            Unsupported: a threshold, where it gives decisions only.
            VendorUnavailable: an outage, or the time was up.
        """
        if self.decisions_only and call.threshold is not None:
            raise Unsupported(
                "This simulated vendor decides by a threshold of its own.",
                backend=self.name,
                what="threshold",
            )
        probe, reference = self._people.seen(call.probe), self._people.seen(call.reference)
        pair = sorted((probe.picture, reference.picture))
        self._take_time(call.deadline_s, pair)
        if self._chance("outage", *pair) < self.vendor.outage:
            raise VendorUnavailable(
                "This simulated vendor has an outage for these two pictures.",
                retryable=False,
                billing=Billing(Charged.NO, _GROUND),
            )
        faces = [self._faces(seen) for seen in (probe, reference)]
        score = self._score(probe, reference, pair) if all(faces) else None
        return MatchResult(
            decision=self._decision(call, score),
            score=None
            if score is None or self.decisions_only
            else Score(score, self._scale, source=ScaleSource.DOCUMENTED),
            threshold=call.threshold,
            warnings=_warnings(faces),
            backend=self.name,
            model=self.model,
            billing=Billing(Charged.NO, _GROUND),
            environment=Environment.MOCK,
            probe_faces=(Face(),) * faces[0],
            reference_faces=(Face(),) * faces[1],
        )

    @property
    def _scale(self) -> str:
        return self.vendor.scale or ""

    def _decision(self, call: MatchCall, score: float | None) -> Decision:
        if score is None:
            return Decision.INCONCLUSIVE
        passes = call.threshold.passes(score) if call.threshold else self.vendor.passes(score)
        return Decision.MATCH if passes else Decision.NO_MATCH

    def _faces(self, seen: _Seen) -> int:
        return 0 if self._chance("fta", seen.picture) < self.vendor.fta else seen.faces

    def _score(self, probe: _Seen, reference: _Seen, pair: list[str]) -> float:
        is_mated = probe.person == reference.person
        of_pair, of_person = self.vendor.parts(is_mated=is_mated)
        kind = "goat" if is_mated else "wolf"
        latent = self.vendor.mean(is_mated=is_mated, group=None)
        latent += of_pair * self._noise("pair", *pair)
        for person in sorted({probe.person, reference.person}):
            latent += of_person * self._noise(kind, person)
        return self.vendor.rounded(float(self.vendor.curve(math.exp, latent)))

    def _noise(self, *words: str) -> float:
        """A normal variable that these words fix, in part for all vendors alike."""
        shared = _NORMAL.inv_cdf(_fraction("common", *words))
        own = _NORMAL.inv_cdf(self._chance(*words))
        return math.sqrt(self.common) * shared + math.sqrt(1 - self.common) * own

    def _chance(self, *words: str) -> float:
        return _fraction(self.model, str(self.seed), *words)

    def _take_time(self, deadline_s: float | None, pair: list[str]) -> None:
        if not self.latency_s:
            return
        spread = 0.5 * _NORMAL.inv_cdf(self._chance("latency", *pair))
        seconds = self.latency_s * math.exp(spread)
        self._clock.sleep(seconds if deadline_s is None else min(seconds, deadline_s))
        if deadline_s is not None and seconds >= deadline_s:
            raise VendorUnavailable(
                "The deadline ran out before the answer was there: give more time.",
                retryable=False,
                billing=Billing(Charged.NO, _GROUND),
            )


#: Settings that are those of `SimulatedVendor` under the same name.
_SHARED: Final = (
    "fmr",
    "fnmr",
    "rule",
    "goats",
    "wolves",
    "common",
    "fta",
    "outage",
    "decimals",
    "decisions_only",
    "latency_s",
)


#: Settings that `SimulatedVendor` does not know or not check; what each must be.
_KINDS: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("model", lambda value: isinstance(value, str) and value != "", "text, and not empty"),
    (
        "rule",
        lambda value: value in (ThresholdRule.ABOVE, ThresholdRule.AT_LEAST),
        "above or at_least",
    ),
    ("seed", lambda value: type(value) is int, "a whole number"),
    ("truth", lambda value: value is None or isinstance(value, Path), "a path"),
    ("people", lambda value: value is None or isinstance(value, Mapping), "a table of digests"),
)


def _fraction(*words: str) -> float:
    """A number above 0 and below 1 that these words fix; it looks drawn by chance."""
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=6).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**48


def _warnings(faces: list[int]) -> tuple[ResultWarning, ...]:
    found = []
    for picture, number in zip(("probe", "reference"), faces, strict=True):
        if not number:
            found.append(
                ResultWarning(
                    code=WarningCode.NO_FACE,
                    severity=Severity.ERROR,
                    text=f"No face was found in the {picture}.",
                )
            )
        elif number > 1:
            text = f"The {picture} shows {number} faces; the first one was compared."
            found.append(ResultWarning(code=WarningCode.MULTIPLE_FACES, text=text))
    return tuple(found)


# --- Who is in a picture --------------------------------------------------------------------------


#: From the bytes of a picture to a card, or to None.
_ReadCard: TypeAlias = Callable[[bytes], Any]


@attrs.frozen(kw_only=True)
class _Seen:
    """One picture.

    Attributes:
        person: Who it shows; the picture itself, if nobody knows.
        picture: What it is known by, however it was encoded on its way.
        faces: How many it shows.
    """

    person: str
    picture: str
    faces: int = 1


class _People:
    """Knows who is in a picture.

    Args:
        of_digest: SHA-256 of a picture's bytes, in hex, to the person; None shows no face.
        same: Digest of a picture as it may be sent to its digest as it is.
        readers: Of test cards.
    """

    def __init__(
        self,
        of_digest: Mapping[str, str | None],
        same: Mapping[str, str] | None = None,
        readers: Iterable[_ReadCard] = (),
    ) -> None:
        self._of_digest = of_digest
        self._same = same or {}
        self._readers = tuple(readers)

    def seen(self, image: Image) -> _Seen:
        """Who is in a picture: by the table, else by a card, else nobody but itself."""
        digest = self._same.get(image.digest, image.digest)
        if digest in self._of_digest:
            person = self._of_digest[digest]
            return _Seen(person=person or "", picture=digest, faces=int(person is not None))
        for read in self._readers:
            card = read(image.data)
            if card is not None:
                return _Seen(person=f"card:{card.person}", picture=digest, faces=card.faces)
        return _Seen(person=f"sha256:{digest}", picture=digest)


def _people_in(study: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What `_People` needs to know of a study: a file of pairs, or a folder for each person.

    Raises:
        ConfigurationError: it cannot be read, or numpy is missing, which reading it needs.
        InvalidRequest: something is wrong in it; every place is named.
    """
    try:
        from facematch_core.comparison import photographs, read_study

        if study.is_dir():
            shown = {file: who for who, files in photographs(study).items() for file in files}
        else:
            pairs = read_study(study).pairs
            shown = {pair.probe: pair.probe_subject for pair in pairs}
            shown |= {pair.reference: pair.reference_subject for pair in pairs}
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Reading a study needs {error.name}, which is not installed: "
            'pip install "facematch-core[compare]".'
        ) from None
    of_digest, same = {}, {}
    for file, who in shown.items():
        try:
            image = Image.read(file)
        except (OSError, InvalidImage):
            continue  # Nobody can be asked about it either.
        of_digest[image.digest] = who
        same[image.prepared().sent_digest] = image.digest
    return of_digest, same


def _card_readers() -> tuple[_ReadCard, ...]:
    """Every installed reader of test cards."""
    found = {point.value: point for point in entry_points(group=GROUP)}
    return tuple(point.load() for _, point in sorted(found.items()))
