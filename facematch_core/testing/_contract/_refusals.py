"""R24-R27: what cannot be done is refused before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from facematch_core import (
    FaceMatchError,
    InvalidImage,
    InvalidRequest,
    Operation,
    Retention,
    Unsupported,
)
from facematch_core.testing._situations import BEST, GOOD, Situation

from ._bench import MIDDLE, Bench, does_not_apply, not_tested
from ._outcome import PASS
from ._rules import Rules

#: What a caller may want to find again: as long as two ids, and with more than one kind of value.
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}


def _refused(
    bench: Bench, operation: Operation, error: type[FaceMatchError], **options: Any
) -> FaceMatchError:
    """Assert that a call ends in `error`, and that the vendor has not heard of it."""
    situation = GOOD.get(operation) if operation in bench.operations else None
    outcome = bench.ask(operation, situation or GOOD[bench.operations[0]], **options)
    assert isinstance(outcome.error, error), f"{_shown(options)}: {outcome.told}"
    assert outcome.requests == 0, f"{_shown(options)}: refused, but sent"
    assert outcome.charges == 0
    return outcome.error


def _shown(options: Mapping[str, Any]) -> str:
    """What was asked, for messages: of pictures their sizes."""
    told = [f"{name}={value}" for name, value in options.items() if name not in _UNSHOWN]
    if "images" in options:
        sizes = " and ".join(f"{image.size_bytes} bytes" for image in options["images"])
        told.append(f"pictures of {sizes}")
    return ", ".join(told)


_UNSHOWN = ("verifier", "images")


def _own_options_arrive(bench: Bench, declared: type) -> None:
    """Assert that the vendor hears of the backend's own options, as far as the double can tell."""
    double = bench.double
    first, *others = double.options(declared), *double.other_options(declared)

    def heard(options: Any) -> list[Any]:
        told = []
        for operation in bench.declared:
            assert bench.ask(operation, BEST[operation], options=options).error is None
            told.append(double.received.get("options", _UNTOLD))
        return told

    usual, *unusual = heard(first), *map(heard, others)
    if not others or all(told is _UNTOLD for every in (usual, *unusual) for told in every):
        not_tested(
            f"Whether the vendor hears of {declared.__name__}: {type(double).__name__} gives no "
            "`other_options`, or does not tell `options` in `received`."
        )
    # A choice may be one of some operations only, but not of none.
    for options, told in zip(others, unusual, strict=True):
        assert told != usual, f"{options} was accepted, but arrived as {first} did"


_UNTOLD = object()


class RefusalRules(Rules):
    """What cannot be done is refused before anything is sent."""

    def test_r24_pictures_beyond_the_limits(self, bench: Bench) -> None:
        """A picture that the vendor would refuse is refused here, unless it may be fitted.

        An upload that can only fail costs time at the door, and with some vendors money.
        """
        strict = bench.open_verifier(fit_images=False)
        beyond = bench.double.refused_pictures(bench.can.image_limits)
        if not beyond:
            does_not_apply(f"{bench.backend.name} declares no limit that a picture of ours breaks.")
        for operation in bench.operations:
            probe, reference = bench.double.pictures_for(GOOD[operation])
            for picture in beyond.values():
                images = [(picture, reference)]
                if operation is Operation.MATCH:
                    images.append((probe, picture))
                for pair in images:
                    _refused(bench, operation, InvalidImage, verifier=strict, images=pair)

    def test_r25_undeclared_options_are_refused(self, bench: Bench) -> None:
        """What the backend cannot pass on is refused, never dropped.

        Who asks a vendor to keep nothing, or to try four turns, relies on its being done.
        """
        for operation in bench.operations:
            undeclared: list[tuple[str, Any]] = [("options", object())]
            if not bench.can.rotate:
                undeclared.append(("rotate", True))
            undeclared += [("retention", r) for r in Retention if r not in bench.can.retention]
            for option, value in undeclared:
                error = _refused(bench, operation, Unsupported, **{option: value})
                assert isinstance(error, Unsupported)
                assert (error.what, error.backend) == (option, bench.backend.name)
        for operation in set(GOOD) - bench.can.operations:
            _refused(bench, operation, Unsupported)

    def test_r26_declared_options_arrive(self, bench: Bench) -> None:
        """What the backend declares to pass on is accepted, and the vendor hears of it.

        An option that is accepted and forgotten is worse than one that is refused.
        """
        asked: list[tuple[str, Any]] = [("retention", kept) for kept in bench.can.retention]
        if bench.can.sends_caller_ref:
            asked.append(("caller_ref", CALLER_REF))
        if bench.can.sends_metadata:
            asked.append(("metadata", METADATA))
        for operation in bench.declared:
            for option, value in asked:
                assert bench.ask(operation, BEST[operation], **{option: value}).error is None
                received = bench.double.received
                # Nothing needs to be sent where there is no choice.
                if option == "retention" and len(bench.can.retention) == 1:
                    continue
                assert option in received, f"declared, but the double cannot tell: {option}"
                assert received[option] == value, f"{option} was accepted, but did not arrive"
            if bench.can.rotate:
                self._rotates(bench, operation)
        if bench.can.options is not None:
            _own_options_arrive(bench, bench.can.options)

    def _rotates(self, bench: Bench, operation: Operation) -> None:
        turned = Situation.TURNED in bench.double.situations and operation in PASS
        if turned:
            passes = PASS[operation]
            assert bench.ask(operation, Situation.TURNED).answer.decision is not passes
            result = bench.ask(operation, Situation.TURNED, rotate=True).answer
            assert result.decision is passes, "rotate was accepted, but nothing was turned"
        for rotate in (True, False):
            assert bench.ask(operation, BEST[operation], rotate=rotate).error is None
            told = bench.double.received.get("rotate")
            assert told is rotate or (told is None and turned), (
                "rotate is declared: let the double tell it in `received`, or produce TURNED"
            )

    def test_r27_nonsense_is_refused(self, bench: Bench) -> None:
        """A threshold that is no number from 0 to 100 never reaches the vendor; 0 and 100 do.

        NaN is below everything and above nothing: with one comparison written the other way round,
        everybody passes.
        """
        for operation in bench.operations:
            for value in (math.nan, math.inf, -0.01, 100.01, True, "50"):
                _refused(bench, operation, InvalidRequest, threshold=value)
            for value in (0, math.nan, -1):
                _refused(bench, operation, InvalidRequest, deadline_s=value)
            for value in (0, MIDDLE, 100):
                assert bench.ask(operation, GOOD[operation], threshold=value).requests == 1
                if bench.scale(operation) and "threshold" in bench.double.received:
                    assert bench.double.received["threshold"] == pytest.approx(value)
