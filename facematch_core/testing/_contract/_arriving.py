"""R42-R44: what reaches the vendor of a picture, and what stays with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from facematch_core import Image, Operation, Reconciled, Retention, Unsupported
from facematch_core.backend import Backend
from facematch_core.testing._planted import (
    digest,
    is_annotated,
    is_upright,
    jpeg_with_secrets,
    png_with_secrets,
    secrets_in,
    turned,
)
from facematch_core.testing._situations import BEST, Situation

from ._bench import MIDDLE, Bench, not_tested
from ._outcome import Result
from ._records import attempt_of, look
from ._rules import Rules

#: The pictures of a comparison, in their order; every other call has the first one alone.
PLACES = ("probe", "reference")

#: Each orientation of EXIF but the usual one, in either place.
ORIENTATIONS = ((6, 8), (8, 3), (3, 6), (2, 4), (4, 5), (5, 7), (7, 2))


def _arrived(bench: Bench, operation: Operation, given: tuple[Image, Image]) -> dict[str, bytes]:
    """Make one call; the pictures of it as the vendor got them, by place."""
    outcome = bench.ask(operation, BEST[operation], images=given)
    # Whatever the vendor makes of a picture that lies on its side.
    assert outcome.requests, f"nothing was sent: {outcome.told}"
    received = bench.double.received
    arrived = {place: received[place] for place in PLACES if received.get(place) is not None}
    if not arrived:
        not_tested(f"{type(bench.double).__name__} cannot tell which pictures arrived.")
    # Names only: a failing assertion prints what it compares.
    places, kinds = tuple(arrived), {type(data) for data in arrived.values()}
    wanted = PLACES if operation is Operation.MATCH else PLACES[:1]
    assert places == wanted, f"a {operation} call sends {' and '.join(wanted)}"
    assert kinds == {bytes}, "the double tells its pictures in another form than bytes"
    return arrived


class ArrivingRules(Rules):
    """What reaches the vendor of a picture, and what stays with it."""

    def test_r42_pictures_arrive_in_their_places(self, bench: Bench) -> None:
        """Each picture arrives in its own place, the way up that it was taken.

        The vendor looks for life in the probe, not in the passport, and a face that lies on its
        side is none to it: whoever holds the telephone upright would never get in.
        """
        for operation in bench.declared:
            given = bench.double.pictures_for(BEST[operation])
            limits = bench.can.image_limits
            sent = {digest(p.prepared(limits).data): w for p, w in zip(given, PLACES, strict=True)}
            assert len(sent) == len(PLACES), "the double's two pictures are one: take others"
            for place, data in _arrived(bench, operation, given).items():
                found = sent.get(digest(data), "something else than was prepared")
                assert found == place, f"as the {place} arrived {found}"
            for one, other in ORIENTATIONS:
                held = (turned(given[0], one), turned(given[1], other))
                for place, data in _arrived(bench, operation, held).items():
                    upright = is_upright(data, given[PLACES.index(place)])
                    assert upright, f"the {place} arrived turned"

    def test_r43_pictures_arrive_without_private_data(self, bench: Bench) -> None:
        """No position, name or comment in a picture's file reaches the vendor.

        A selfie tells where somebody lives. It was given for the face in it, and the vendor may
        keep it for years; the face itself arrives pixel for pixel.
        """
        for operation in bench.declared:
            probe, reference = bench.double.pictures_for(BEST[operation])
            for of_probe, of_reference in (
                (jpeg_with_secrets, png_with_secrets),
                (png_with_secrets, jpeg_with_secrets),
            ):
                given = (of_probe(probe), of_reference(reference))
                for place, data in _arrived(bench, operation, given).items():
                    found = list(secrets_in(data))
                    assert not found, f"the {place} arrived with {', '.join(found)}"
                    assert not is_annotated(data), f"the {place} arrived with a note of its sender"
                    prepared = given[PLACES.index(place)].prepared(bench.can.image_limits)
                    size = Image.from_bytes(data).upright_size
                    assert size == prepared.upright_size, f"the {place} arrived in another size"

    def test_r44_keep_nothing_is_the_default(self, bench: Bench) -> None:
        """Nobody's face is kept unless the caller asks for it.

        Who keeps a face needs a ground in law, and answers for it until it is gone. A record that
        came about because nobody said no has neither.
        """
        for operation in bench.declared:
            for options in _not_asking_for_it(bench):
                self._is_not_kept(bench, operation, options)
            # What is not known of one call is no reason to keep the next one.
            for trouble in (Situation.LOST_ANSWER, Situation.OUTAGE):
                if trouble in bench.double.situations:
                    bench.ask(operation, trouble)
                    self._is_not_kept(bench, operation, {})

    def _is_not_kept(self, bench: Bench, operation: Operation, options: dict[str, Any]) -> None:
        outcome = bench.ask(operation, BEST[operation], **options)
        if Retention.MINIMAL not in bench.can.retention:
            assert isinstance(outcome.error, Unsupported), "kept, and nobody asked for it"
            assert outcome.requests == 0
            return
        told = bench.double.received.get("retention")
        # Nothing needs to be sent where there is no choice; where there is, R26 wants it told.
        assert told is Retention.MINIMAL or (told is None and len(bench.can.retention) == 1)
        assert outcome.answer.ids.session is None, "a record of a call that was not to be kept"
        self._is_not_found(bench, operation, outcome.answer)

    def _is_not_found(self, bench: Bench, operation: Operation, result: Result) -> None:
        """The vendor's records, where one can look into them, hold nothing of the call."""
        if type(bench.backend).reconcile is Backend.reconcile:
            return
        told = look(bench, attempt_of(bench, operation, result))
        assert told is None or told.outcome is not Reconciled.FOUND, "kept, and nobody asked for it"


def _not_asking_for_it(bench: Bench) -> Iterator[dict[str, Any]]:
    """What a caller may say of a call, alone and together, who does not ask to keep it."""
    wishes: dict[str, Any] = {"caller_ref": "visitor 7", "metadata": {"desk": 3}}
    wishes["threshold"] = MIDDLE
    if bench.can.rotate:
        wishes["rotate"] = True
    yield {}
    yield from ({wish: value} for wish, value in wishes.items())
    yield wishes
