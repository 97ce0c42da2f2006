"""R24, R25: pictures and options arrive, or are refused before anything is sent."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.testing import bench as benches
from facematch_core.testing import pictures
from facematch_core.testing.bench import MIDDLE, PASS, Bench, judge_parts, same
from facematch_core.testing.pictures import noise, pictures_beyond, pictures_within
from facematch_core.testing.simulator import GOOD, EngineSimulator
from facematch_core.verifier.pipeline import PICTURES

from ._frame import Rules, rule
from .money import look, record_of

#: A caller's reference and metadata: as long as two ids, and with more than one kind of value.
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}
UNTOLD = "nothing"
#: Seconds that a vendor may keep a face for the call itself.
KEPT_S = 600.0
#: A little more than the ratio of a megabyte of 1,024 times 1,024 bytes to one of a million.
MEGABYTES = 1.06


class OptionRules(Rules):
    """Rules about pictures and options: they arrive, or are refused before anything is sent."""

    @rule("R51")
    def test_r24_pictures_beyond_the_limits(self, bench: Bench) -> None:
        """A picture that the vendor would refuse is refused here, unless it may be made to fit, and
        none that it takes.

        An upload that can only fail costs time at the door, and with some vendors money.
        """
        limits, simulator = bench.can.image_limits, bench.simulator
        strict = bench.open_verifier(fit_images=False)
        beyond = dict.fromkeys(PICTURES, simulator.refused_pictures(limits))
        if others := simulator.reference_limits or bench.can.reference_limits:
            beyond["reference"] = pictures_beyond(others)
        for operation in bench.operations:
            usual = dict(zip(PICTURES, simulator.pictures_for(GOOD[operation]), strict=True))
            for place in _places_of(operation):
                for wrong, picture in beyond[place].items():
                    probe, reference = (usual | {place: picture}).values()
                    how: dict[str, Any] = {"verifier": strict, "images": (probe, reference)}
                    outcome = bench.ask(operation, GOOD[operation], **how)
                    gave = f"a {place} beyond the vendor's limit ({wrong}) gave {outcome.summary}"
                    assert isinstance(outcome.error, fm.InvalidImage), gave
                    same("the requests before it is refused", outcome.requests, 0)
            if simulator.looks_at_pictures:
                _compare_limits(bench, operation)
        if not any(beyond.values()):
            benches.does_not_apply(
                f"{bench.backend.name} declares no limit that a picture of ours breaks."
            )

    @rule("R51")
    def test_r25_options_are_refused_or_arrive(self, bench: Bench) -> None:
        """An option that the backend declares arrives; pictures arrive as they were prepared, in
        their own places; nothing is kept unless the caller asks for it.

        An option that is accepted and forgotten is worse than one that is refused. The vendor looks
        for life in the probe, not in the passport, and sees no face that lies on its side. Keeping
        a face needs a legal ground.
        """
        judge_parts(bench, _options, _own_options, _pictures, _kept)


def _places_of(operation: fm.Operation) -> tuple[str, ...]:
    return PICTURES if operation is fm.Operation.MATCH else PICTURES[:1]


def _compare_limits(bench: Bench, operation: fm.Operation) -> None:
    """Assert that the vendor itself takes what is declared as taken, and refuses what is not."""
    limits, good = bench.can.image_limits, GOOD[operation]
    nobody = noise(0, (max(320, limits.min_side_px),) * 2)
    usual = bench.ask_directly(operation, good, probe=nobody).answer

    def is_taken(what: str, picture: fm.Image) -> bool:
        # Past the verifier, which would refuse it.
        result = bench.ask_directly(operation, good, probe=picture).result
        # A vendor may answer that it sees no face in a picture that is too small.
        return result is not None and (what == "few bytes" or result.decision is usual.decision)

    for what, picture in pictures_within(limits).items():
        where = f"a picture of {picture.size_bytes} bytes ({what})"
        assert is_taken(what, picture), f"{where}: declared as taken, the vendor refuses it"
    # A megabyte may be 1,000,000 or 1,048,576 bytes. A limit set by the user is not the vendor's.
    most = None if limits.max_bytes_from else limits.max_bytes
    wider = attrs.evolve(limits, max_bytes=most and int(most * MEGABYTES))
    for what, picture in pictures_beyond(wider).items():
        # A vendor may take more formats than it says.
        taken = not what.startswith("format") and is_taken(what, picture)
        assert not taken, f"a picture ({what}): declared as refused, the vendor takes it"


# --- R25


def _options(bench: Bench) -> None:
    can = bench.can
    wishes: list[tuple[str, Any]] = [("retention", kept) for kept in can.retention]
    wishes += [("caller_ref", CALLER_REF)] * can.sends_caller_ref
    wishes += [("metadata", METADATA)] * can.sends_metadata
    for operation, (option, value) in itertools.product(bench.operations, wishes):
        heard = _hear(bench, operation, option, value)
        # The vendor need not hear of it if there is no choice.
        if heard is not UNTOLD or option != "retention" or len(can.retention) > 1:
            same(f"{option} in the simulator's `received`", heard, value)


def _own_options(bench: Bench) -> None:
    simulator = bench.simulator
    if (declared := bench.can.options) is None:
        benches.does_not_apply(f"{bench.backend.name} has no options of its own.")
    first, *others = simulator.options(declared), *simulator.other_options(declared)
    is_heard = False
    for operation, options in itertools.product(bench.operations, others):
        usual, heard = (_hear(bench, operation, "options", each) for each in (first, options))
        is_heard |= usual is not UNTOLD or heard is not UNTOLD
        where = f"with {options} the vendor heard {heard!r}"
        assert heard != usual or not is_heard, f"{where}, and the same with {first}"
    if not is_heard:
        unsaid = f"{type(simulator).__name__} has no `other_options`, or no `options` received"
        benches.not_tested(f"Whether the vendor hears of {declared.__name__}: {unsaid}.")


def _pictures(bench: Bench) -> None:
    for operation in bench.operations:
        pair, wishes = bench.simulator.pictures_for(GOOD[operation]), [*bench.wishes(operation)]
        turned = [
            (pictures.turn(pair[0], turns[0]), pictures.turn(pair[1], turns[1]))
            for turns in ((6, 8), (3, 5))
        ]
        noted = pictures.add_note(pair[0]), pictures.add_note(pair[1])
        kinds = [*((each, {}) for each in (pair, noted, *turned)), *((pair, w) for w in wishes)]
        for sent, wish in kinds:
            digests = [image.sent_digest for image in bench.fit(sent)]
            if len({*digests}) != len(PICTURES):
                raise benches.SimulatorMistake("its two pictures are one: take others")
            arrived = _receive(bench, operation, sent, **wish)
            for place, due in zip(PICTURES, digests, strict=True):
                is_it = place not in arrived or hashlib.sha256(arrived[place]).hexdigest() == due
                assert is_it, f"the {place} that arrived is not what was prepared"
        # An engine may get what was prepared, and still look at it turned.
        for held in turned if isinstance(bench.simulator, EngineSimulator) else ():
            decision = bench.ask(operation, GOOD[operation], images=held).answer.decision
            same("the decision about pictures that EXIF turns", decision, PASS[operation])


def _receive(
    bench: Bench, operation: fm.Operation, pair: tuple[fm.Image, fm.Image], **wish: Any
) -> dict[str, bytes]:
    """Return the pictures of a call that arrived, by their places."""
    outcome = bench.ask(operation, GOOD[operation], images=pair, **wish)
    assert outcome.requests, f"nothing was sent: {outcome.summary}"
    received = bench.simulator.received
    arrived = {place: received[place] for place in PICTURES if received.get(place) is not None}
    if not arrived:
        assert outcome.error is None, f"the call was refused: {outcome.summary}"
        benches.not_tested(f"{type(bench.simulator).__name__} does not say which pictures arrived.")
    same(f"the pictures that are sent, with {wish},", (*arrived,), _places_of(operation))
    if not all(type(data) is bytes for data in arrived.values()):
        raise benches.SimulatorMistake("its `received` must hold the pictures as bytes")
    return arrived


def _kept(bench: Bench) -> None:
    if fm.Retention.MINIMAL not in bench.can.retention:
        benches.does_not_apply(f"{bench.backend.name} declares that everything is kept.")
    besides = {"caller_ref": "visitor 7", "metadata": {"desk": 3}, "threshold": MIDDLE}
    for operation in bench.operations:
        wishes = [wish for wish in bench.wishes(operation) if "retention" not in wish]
        for options in ({}, besides, *wishes):
            answer = bench.ask(operation, GOOD[operation], **options).answer
            bench.at += f"{' with ' * bool(options)}{' and '.join(options)}"
            heard = bench.simulator.received
            retention = heard.get("retention", fm.Retention.MINIMAL)
            same("the retention that the vendor heard", retention, fm.Retention.MINIMAL)
            assert answer.ids.session is None, "`ids.session` names a record of it"
            kept_s = heard.get("kept_s", 0.0)
            assert kept_s <= KEPT_S, f"the vendor keeps a face or template for {kept_s:g} s"
            # A job that is found by its own id is no record of the person.
            record = attrs.evolve(record_of(bench, operation, answer), vendor_id=None)
            is_sought = bench.backend.reconcilable(record)
            is_kept = is_sought and look(bench, record).result is not None
            assert not is_kept, "nobody asked to keep it, and it is in the vendor's records"


def _hear(bench: Bench, operation: fm.Operation, option: str, value: Any) -> Any:
    """Return what the vendor hears of an option."""
    outcome = bench.ask(operation, GOOD[operation], **{option: value})
    assert outcome.error is None, f"with {option}={value!r} it ended in {outcome.error!r}"
    return bench.simulator.received.get(option, UNTOLD)
