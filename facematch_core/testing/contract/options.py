"""R24, R25: pictures and options arrive, or are refused before anything is sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.testing import pictures
from facematch_core.testing.bench import (
    MIDDLE,
    PASS,
    Bench,
    Outcome,
    SimulatorMistake,
    does_not_apply,
    judge_parts,
    not_tested,
)
from facematch_core.testing.pictures import noise, pictures_beyond, pictures_within
from facematch_core.testing.simulator import GOOD, EngineSimulator
from facematch_core.verifier.pipeline import PICTURES

from ._frame import Rules, rule
from .records import find, record_of

Pair = tuple[fm.Image, fm.Image]

#: A caller's reference and metadata: as long as two ids, and with more than one kind of value.
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}
UNTOLD = "nothing"
#: A line of base64 between two line breaks, in JSON or in a form.
_BROKEN = re.compile(rb"(?:\\n|%0[aA])[A-Za-z0-9+/]{76}(?:\\n|%0[aA])")
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
        simulator, can = bench.simulator, bench.can
        strict = bench.open_verifier(fit_images=False)
        probes = references = simulator.refused_pictures(can.image_limits)
        if limits := simulator.reference_limits or can.reference_limits:
            references = pictures_beyond(limits)
        beyond = dict(zip(PICTURES, (probes, references), strict=True))
        for operation in bench.operations:
            places = PICTURES if operation is fm.Operation.MATCH else PICTURES[:1]
            usual = dict(zip(PICTURES, simulator.pictures_for(GOOD[operation]), strict=True))
            for place, wrong in ((each, wrong) for each in places for wrong in beyond[each]):
                how = f"of a {place} that is beyond the vendor's limit ({wrong})"
                sent = {"images": tuple((usual | {place: beyond[place][wrong]}).values())}
                _judge_refusal(bench, operation, fm.InvalidImage, how, verifier=strict, **sent)
            if simulator.looks_at_pictures:
                _compare_limits(bench, operation)
        if not any(beyond.values()):
            does_not_apply(f"{bench.backend.name} declares no limit that a picture of ours breaks.")

    @rule("R51")
    def test_r25_options_are_refused_or_arrive(self, bench: Bench) -> None:
        """An option that the backend cannot pass on is refused, and one that it declares arrives;
        pictures arrive upright in their own places; nothing is kept unless the caller asks for it.

        An option that is accepted and forgotten is worse than one that is refused. The vendor looks
        for life in the probe, not in the passport, and sees no face that lies on its side. Keeping
        a face needs a legal ground.
        """
        judge_parts(bench, self._options, self._own_options, self._pictures, self._kept)

    def _options(self, bench: Bench) -> None:
        can = bench.can
        # Name, value, and whether it is declared; None if it may be left out.
        wishes: list[tuple[str, Any, bool | None]] = [
            *(("retention", kept, kept in can.retention) for kept in fm.Retention),
            ("caller_ref", CALLER_REF, can.sends_caller_ref or None),
            ("metadata", METADATA, can.sends_metadata or None),
            ("options", object(), False),
        ]
        named = {name for name, *_ in wishes} | _fields(can.options)
        for name, operations in can.option_operations.items():
            right = name in named and operations & can.operations
            assert right, f"`option_operations` has {name} for {[*operations]}: for no call of it"
        for operation in bench.operations:
            for option, value, declared in wishes:
                if declared is False:
                    how = f"with {option}={value}, which is not declared"
                    _judge_refusal(bench, operation, fm.Unsupported, how, **{option: value})
                elif declared and can.takes(option, operation):
                    heard = _hear(bench, operation, option, value)
                    # The vendor need not hear of it if there is no choice, or if results show it.
                    silent = option == "retention" and len(can.retention) == 1
                    assert heard == value or (heard is UNTOLD and silent), (
                        f"{operation} with {option}={value!r}: it is declared, and the vendor "
                        f"heard {heard!r} (`received` of the simulator)"
                    )

    def _own_options(self, bench: Bench) -> None:
        simulator, can = bench.simulator, bench.can
        if (declared := can.options) is None:
            does_not_apply(f"{bench.backend.name} has no options of its own.")
        first, *others = simulator.options(declared), *simulator.other_options(declared)
        pairs = [
            (operation, options, *(_hear(bench, operation, "options", o) for o in (first, options)))
            for operation in bench.operations
            if can.takes("options", operation)
            for options in others
        ]
        if all(usual is heard is UNTOLD for *_, usual, heard in pairs):
            unsaid = f"{type(simulator).__name__} has no `other_options`, or no `options` received"
            not_tested(f"Whether the vendor hears of {declared.__name__}: {unsaid}.")
        for operation, options, usual, heard in pairs:
            fields = {f for f in _fields(declared) if getattr(options, f) != getattr(first, f)}
            takes = [can.takes(field, operation) for field in fields]
            where = f"{operation} with {options}: the vendor heard {heard!r}"
            right = heard == usual or any(takes) or not takes
            assert right, f"{where}, of what is declared as for another operation alone"
            right = heard != usual or not all(takes)
            assert right, f"{where}, and the same with {first}: is it in `option_operations`?"
            without = [
                (_hear(bench, operation, "options", o), _hear(bench, operation, "options", None))[1]
                for o in (first, options)
            ]
            right = without[0] == without[1]
            assert right, f"{operation} without options: the vendor hears those of the call before"

    def _pictures(self, bench: Bench) -> None:
        for operation in bench.operations:
            probe, reference = pair = bench.simulator.pictures_for(GOOD[operation])
            noted = pictures.add_note(probe), pictures.add_note(reference)
            for sent, wish in (
                (pair, {}),
                (noted, {}),
                *((pair, w) for w in bench.wishes(operation)),
            ):
                _judge_places(bench, operation, sent, wish)
            for turns in ((6, 8), (3, 5)):
                held = pictures.turn(probe, turns[0]), pictures.turn(reference, turns[1])
                outcome, arrived = _receive(bench, operation, held, {})
                for place, image, turn in zip(PICTURES, pair, turns, strict=True):
                    upright = place not in arrived or pictures.is_upright(arrived[place], image)
                    where = f"{operation}: the {place} of EXIF orientation {turn}"
                    assert upright, f"{where} arrived turned"
                if isinstance(bench.simulator, EngineSimulator):
                    # An engine may get the picture upright and still look at it turned.
                    decision, how = outcome.answer.decision, f"EXIF orientations {turns}"
                    assert decision is PASS[operation], f"{operation} of {how} gives {decision}"

    def _kept(self, bench: Bench) -> None:
        besides = {"caller_ref": "visitor 7", "metadata": {"desk": 3}, "threshold": MIDDLE}
        for operation in bench.operations:
            wishes = [wish for wish in bench.wishes(operation) if "retention" not in wish]
            for options in ({}, besides, *wishes):
                _judge_unkept(bench, operation, options)


def _judge_refusal(
    bench: Bench, operation: fm.Operation, error: type[fm.FaceMatchError], how: str, **options: Any
) -> None:
    outcome = bench.ask(operation, GOOD[operation], **options)
    instead = f"{operation} {how}: instead of {error.__name__}"
    assert isinstance(outcome.error, error), f"{instead} it gave {outcome.summary}"
    assert outcome.requests == 0, f"{instead} alone there came a request"


def _compare_limits(bench: Bench, operation: fm.Operation) -> None:
    """Assert that the vendor itself takes what is declared as taken, and refuses what is not."""
    limits = bench.can.image_limits
    bench.prepare(GOOD[operation])

    def ask_vendor(picture: fm.Image) -> Outcome:
        # Past the verifier, which would refuse it.
        call = attrs.evolve(bench.call(operation, GOOD[operation]), probe=picture)
        return bench.make_call(call)

    def is_taken(what: str, outcome: Outcome) -> bool:
        # A vendor may answer that it sees no face in a picture that is too small.
        result = outcome.result
        return result is not None and (what == "few bytes" or result.decision is usual.decision)

    usual = ask_vendor(noise(0, (max(320, limits.min_side_px),) * 2)).answer
    for what, picture in pictures_within(limits).items():
        outcome = ask_vendor(picture)
        where = f"{operation} of a picture of {picture.size_bytes} bytes ({what})"
        assert is_taken(what, outcome), f"{where}: declared as taken, it gave {outcome.summary}"
    # A megabyte may be 1,000,000 or 1,048,576 bytes. A limit set by the user is not the vendor's.
    most = None if limits.max_bytes_from else limits.max_bytes
    wider = attrs.evolve(limits, max_bytes=most and int(most * MEGABYTES))
    for what, picture in pictures_beyond(wider).items():
        # A vendor may take more formats than it says.
        taken = not what.startswith("format") and is_taken(what, ask_vendor(picture))
        assert not taken, f"{operation}: declared as refused ({what}), the vendor takes it"


def _hear(bench: Bench, operation: fm.Operation, option: str, value: Any) -> Any:
    """Return what the vendor hears of an option."""
    outcome = bench.ask(operation, GOOD[operation], **{option: value})
    assert outcome.error is None, f"{operation} with {option}={value!r} ended in {outcome.error!r}"
    return bench.simulator.received.get(option, UNTOLD)


def _fields(options: type | None) -> set[str]:
    return set(attrs.fields_dict(options)) if options and attrs.has(options) else set()


def _receive(
    bench: Bench, operation: fm.Operation, pair: Pair, wish: Mapping[str, Any]
) -> tuple[Outcome, dict[str, bytes]]:
    """Return a call, and the pictures that arrived, by their places."""
    bench.simulator.overheard = []
    outcome = bench.ask(operation, GOOD[operation], images=pair, **wish)
    requests, bench.simulator.overheard = bench.simulator.overheard, None
    call = f"a {operation} call{' with ' if wish else ''}{' and '.join(wish)}"
    broken = any(_BROKEN.search(request.body) for request in requests)
    # Many decoders refuse base64 with line breaks.
    assert not broken, f"{call}: base64 with line breaks was sent (`b64encode` writes none)"
    assert outcome.requests, f"nothing was sent: {outcome.summary}"
    received = bench.simulator.received
    arrived = {place: received[place] for place in PICTURES if received.get(place) is not None}
    if not arrived:
        assert outcome.error is None, f"the call was refused: {outcome.summary}"
        not_tested(f"{type(bench.simulator).__name__} does not say which pictures arrived.")
    due = PICTURES if operation is fm.Operation.MATCH else PICTURES[:1]
    places = " and ".join(arrived)
    assert tuple(arrived) == due, f"{call} sends {' and '.join(due)}, and {places} arrived"
    if not all(type(data) is bytes for data in arrived.values()):
        raise SimulatorMistake("its `received` must hold the pictures as bytes")
    return outcome, arrived


def _judge_places(
    bench: Bench, operation: fm.Operation, pair: Pair, wish: Mapping[str, Any]
) -> None:
    places = zip(bench.fit(pair), PICTURES, strict=True)
    sent = {image.sent_digest: place for image, place in places}
    if len(sent) != len(PICTURES):
        raise SimulatorMistake("its two pictures are one: take others")
    for place, data in _receive(bench, operation, pair, wish)[1].items():
        which = sent.get(hashlib.sha256(data).hexdigest(), "other one: not what was prepared")
        assert which == place, f"{operation}: the {place} that arrived is the {which}"


def _judge_unkept(bench: Bench, operation: fm.Operation, options: Mapping[str, Any]) -> None:
    call = f"a {operation} call{' with ' if options else ''}{' and '.join(options)}"
    outcome = bench.ask(operation, GOOD[operation], **options)
    if fm.Retention.MINIMAL not in bench.can.retention:
        return  # the core has refused it
    answer, retention = outcome.answer, bench.simulator.received.get("retention")
    # Without a choice nothing needs to be sent.
    right = retention is None and len(bench.can.retention) == 1
    assert right or retention is fm.Retention.MINIMAL, (
        f"{call}: nobody asked to keep it, and the vendor understood {retention}"
    )
    assert answer.ids.session is None, f"{call}: `ids.session` names a record of it"
    kept_s = bench.simulator.received.get("kept_s", 0.0)
    assert kept_s <= KEPT_S, f"{call}: the vendor keeps a face or template for {kept_s:g} s"
    # A job that is found by its own id is no record of the person.
    record = attrs.evolve(record_of(bench, operation, answer), vendor_id=None)
    kept = find(bench, record) if bench.backend.reconcilable(record) else None
    assert kept is None, f"{call}: nobody asked to keep it, and it is in the vendor's records"


def _stands_in(guess: Any, text: str) -> bool:
    """Whether JSON has that guess as a value, or within a text."""
    if guess is None:
        return False
    number = isinstance(guess, float) and guess.is_integer()
    value = f"{guess:.0f}(\\.0+)?" if number else re.escape(str(guess))
    # Not a part of a longer number, of a time or of an id.
    alone = rf"(?<![\w.:/-]){value}(?![\w]|[.:/-]\w)"
    return re.search(alone, text, re.IGNORECASE) is not None
