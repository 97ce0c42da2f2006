"""R21, R24, R25: options and pictures arrive or are rejected; keys and faces do not leak."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import pickle
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest

import facematch_core as fm
from facematch_core.call.run import PICTURES
from facematch_core.testing import bench as benches
from facematch_core.testing import leaks, pictures
from facematch_core.testing.bench import (
    PASS,
    Bench,
    Rules,
    assert_equal,
    rule,
    run_parts,
)
from facematch_core.testing.simulator import (
    FAILURES,
    PASSING,
    EngineSimulator,
    Situation,
)

#: The pictures of a call, by operation.
PICTURE_NAMES = {fm.Operation.MATCH: PICTURES, fm.Operation.LIVENESS: PICTURES[:1]}
#: A caller's reference (longer than an id) and metadata (with values of several types).
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}
NOT_RECEIVED = "nothing"
#: Responses parsed by different code paths of a plug-in, all failures, and a missing response.
LEAK_SITUATIONS = (
    Situation.SAME_PERSON,
    Situation.LIVE,
    Situation.NO_FACE,
    *FAILURES,
    Situation.SLOW,
)


class OptionRules(Rules):
    """Rules about options, pictures and privacy."""

    @rule("R51")
    def test_r24_pictures_beyond_the_limits(self, bench: Bench) -> None:
        """A picture that the vendor would reject is not sent, unless it may be converted to fit. A
        picture that the vendor accepts is not rejected.

        An upload that can only fail costs time, and with some vendors money.
        """
        capabilities = bench.capabilities
        simulator = bench.simulator
        beyond_probe = simulator.refused_pictures(capabilities.image_limits)
        beyond_reference = beyond_probe
        if capabilities.reference_limits:
            beyond_reference = pictures.pictures_beyond(capabilities.reference_limits)
        for operation in bench.operations:
            self._r24_check_refused(bench, operation, "probe", beyond_probe)
            if operation is fm.Operation.MATCH:
                self._r24_check_refused(bench, operation, "reference", beyond_reference)
            if simulator.looks_at_pictures:
                self._r24_check_declared_limits(bench, operation)
        has_limits = bool(beyond_probe) or bool(beyond_reference)
        bench.skip_unless_applicable(has_limits, "declares no limit that a test picture exceeds")

    def _r24_check_refused(
        self, bench: Bench, operation: fm.Operation, name: str, beyond: Mapping[str, fm.Image]
    ) -> None:
        """Assert that no picture beyond a limit is sent in the place of the probe or reference."""
        verifier = bench.open_verifier(fit_images=False)
        for limit_name, picture in beyond.items():
            probe, reference = bench.simulator.pictures_for(PASSING[operation])
            images = (probe, picture) if name == "reference" else (picture, reference)
            outcome = bench.call_verifier(
                operation, PASSING[operation], verifier=verifier, images=images
            )
            assert isinstance(outcome.error, fm.InvalidImage), (
                f"a {name} beyond the vendor's limit ({limit_name}) gave {outcome.summary}"
            )
            assert_equal("the number of requests", outcome.requests, 0)

    def _r24_check_declared_limits(self, bench: Bench, operation: fm.Operation) -> None:
        """Assert that the vendor accepts exactly the pictures that are declared as accepted."""
        limits = bench.capabilities.image_limits
        side_px = max(320, limits.min_side_px)
        accepted = pictures.noise(0, (side_px, side_px))
        usual = bench.call_backend(operation, PASSING[operation], probe=accepted).require_result()

        def is_accepted(limit_name: str, picture: fm.Image) -> bool:
            # Without the verifier, which would reject the picture.
            result = bench.call_backend(operation, PASSING[operation], probe=picture).result
            if result is None:
                return False
            # A vendor may report no face in a picture that is too small.
            return limit_name == "few bytes" or result.decision is usual.decision

        for limit_name, picture in pictures.pictures_within(limits).items():
            assert is_accepted(limit_name, picture), (
                f"the vendor rejects a picture of {picture.size_bytes} bytes ({limit_name}), "
                "within the declared limits"
            )
        max_bytes = None
        if limits.max_bytes is not None and not limits.max_bytes_from:  # not the user's own limit
            # A megabyte may be 1,000,000 or 1,048,576 bytes.
            max_bytes = int(limits.max_bytes * 1.06)
        wider_limits = attrs.evolve(limits, max_bytes=max_bytes)
        for limit_name, picture in pictures.pictures_beyond(wider_limits).items():
            if limit_name.startswith("format"):
                continue  # A vendor may accept more formats than it documents.
            assert not is_accepted(limit_name, picture), (
                f"the vendor accepts a picture beyond the declared limits ({limit_name})"
            )

    @rule("R51")
    def test_r25_options_are_refused_or_arrive(self, bench: Bench) -> None:
        """Declared options arrive at the vendor. Pictures arrive as prepared, and probe and
        reference are not swapped. Nothing is stored unless the caller asks for it.

        The vendor checks liveness in the probe, not in the passport, and finds no face in a picture
        turned on its side. Storing a face requires a legal basis.
        """
        run_parts(
            bench,
            self._r25_arguments,
            self._r25_own_options,
            self._r25_pictures,
            self._r25_nothing_stored,
        )

    def _r25_arguments(self, bench: Bench) -> None:
        """Hold that retention, caller_ref and metadata reach the vendor as they were passed."""
        capabilities = bench.capabilities
        for operation in bench.operations:
            for retention in capabilities.retention:
                received = _received_value(bench, operation, "retention", retention)
                # A backend with a single retention need not send it.
                is_needless = len(capabilities.retention) == 1 and received is NOT_RECEIVED
                if not is_needless:
                    assert_equal("retention in the simulator's `received`", received, retention)
            if capabilities.sends_caller_ref:
                received = _received_value(bench, operation, "caller_ref", CALLER_REF)
                assert_equal("caller_ref in the simulator's `received`", received, CALLER_REF)
            if capabilities.sends_metadata:
                received = _received_value(bench, operation, "metadata", METADATA)
                assert_equal("metadata in the simulator's `received`", received, METADATA)

    def _r25_own_options(self, bench: Bench) -> None:
        """Assert that different options arrive as different values.

        An operation that does not take them must refuse them.
        """
        options_class: Any = bench.capabilities.options
        bench.skip_unless_applicable(options_class, "has no options of its own")
        usual_options = bench.simulator.options(options_class)
        is_received = False
        dropped = []
        for options in bench.simulator.other_options(options_class):
            operations = [
                operation
                for operation in bench.operations
                if not bench.refuses_options(operation, options)
            ]
            assert operations, f"no call takes {options}, but `options` are declared"
            for operation in operations:
                usual_value = _received_value(bench, operation, "options", usual_options)
                value = _received_value(bench, operation, "options", options)
                if usual_value is not NOT_RECEIVED or value is not NOT_RECEIVED:
                    is_received = True
                if value == usual_value:
                    dropped.append(
                        f"{operation}, {options}: the vendor received {value!r}, as with "
                        f"{usual_options}; send them, or raise `Unsupported`"
                    )
        # If nothing arrives in any operation, the simulator may not observe it.
        bench.skip_unless_testable(
            is_received,
            f"needs `other_options`, and `options` in `received`, for {options_class.__name__}",
        )
        bench.context = ""  # each sentence names its operation
        assert not dropped, "; ".join(dropped)

    def _r25_pictures(self, bench: Bench) -> None:
        """Hold that pictures arrive cleaned and upright, with any option."""
        for operation in bench.operations:
            probe, reference = bench.simulator.pictures_for(PASSING[operation])
            noted = pictures.add_note(probe), pictures.add_note(reference)
            # As phones store them, with an EXIF orientation; two pairs cover two of its kinds each.
            turned_pairs = [
                (pictures.turn(probe, 6), pictures.turn(reference, 8)),
                (pictures.turn(probe, 3), pictures.turn(reference, 5)),
            ]
            for pair in ((probe, reference), noted, *turned_pairs):
                self._r25_check_pictures_arrive(bench, operation, pair, {})
            for options in bench.option_sets(operation):
                self._r25_check_pictures_arrive(bench, operation, (probe, reference), options)
            # An engine may receive the prepared picture and still read it in a wrong orientation.
            if isinstance(bench.simulator, EngineSimulator):
                for pair in turned_pairs:
                    result = bench.call_verifier(
                        operation, PASSING[operation], images=pair
                    ).require_result()
                    assert_equal(
                        "the decision for pictures with EXIF rotation",
                        result.decision,
                        PASS[operation],
                    )

    def _r25_check_pictures_arrive(
        self, bench: Bench, operation: fm.Operation, pair: benches.Pair, options: dict[str, Any]
    ) -> None:
        """Assert that the pictures of a call arrive at the vendor as prepared."""
        prepared = dict(zip(PICTURES, bench.prepare(pair), strict=True))
        digests = {image.sent_digest for image in prepared.values()}
        bench.require_of_simulator(len(digests) == 2, "its two pictures are the same: use others")
        bench.call_verifier(operation, PASSING[operation], images=pair, **options).require_result()
        received = bench.simulator.received
        arrived = {}
        for name in PICTURES:
            if received.get(name) is not None:
                arrived[name] = received[name]
        bench.skip_unless_testable(arrived, "has no pictures in `received`")
        assert_equal(
            f"the list of pictures sent with {options}", tuple(arrived), PICTURE_NAMES[operation]
        )
        for name, data in arrived.items():
            bench.require_of_simulator(
                type(data) is bytes, "`received` must have pictures as bytes"
            )
            is_prepared = hashlib.sha256(data).hexdigest() == prepared[name].sent_digest
            assert is_prepared, f"the {name} that arrived is not the prepared picture"

    def _r25_nothing_stored(self, bench: Bench) -> None:
        """Hold that by default nothing is kept, whatever else is passed."""
        keeps_little = fm.Retention.MINIMAL in bench.capabilities.retention
        bench.skip_unless_applicable(keeps_little, "declares that everything is kept")
        arguments = {
            "caller_ref": "visitor 7",
            "metadata": {"desk": 3},
            "threshold": benches.MIDDLE_SCORE,
        }
        for operation in bench.operations:
            self._r25_check_not_stored(bench, operation, {})
            self._r25_check_not_stored(bench, operation, arguments)
            for options in bench.option_sets(operation):
                if "retention" not in options:
                    self._r25_check_not_stored(bench, operation, options)

    def _r25_check_not_stored(
        self, bench: Bench, operation: fm.Operation, options: dict[str, Any]
    ) -> None:
        """Hold that a call asked the vendor to keep nothing, and names no record.

        Ten minutes during the call are allowed.
        """
        outcome = bench.call_verifier(operation, PASSING[operation], **options)
        result = outcome.require_result()
        if options:
            bench.context += f" with {' and '.join(options)}"
        received = bench.simulator.received
        retention = received.get("retention", fm.Retention.MINIMAL)
        label = "the retention that the vendor received"
        assert_equal(label, retention, fm.Retention.MINIMAL)
        assert result.ids.session is None, "`ids.session` names a record at the vendor"
        stored_s = received.get("kept_s", 0.0)
        # During the call, the vendor may need to store a face for some minutes.
        assert stored_s <= 600, f"the vendor keeps a face or template for {stored_s:g} s"

    @pytest.mark.parametrize("situation", LEAK_SITUATIONS, ids=str)
    @rule("R51")
    def test_r21_nothing_leaks(self, bench: Bench, situation: Situation, capfd: Any) -> None:
        """No key, token or picture leaks into a result, an error, its frames, an event, a log, or
        the `repr` or pickle of the backend.

        Many people read databases and error trackers. A face cannot be changed like a password.
        """
        for operation in bench.operations_for(situation):
            hidden = _hidden_values(bench, bench.simulator.pictures_for(situation))
            steps: list[int | None] = [None]
            # A missing response has nothing to leak, so the step does not matter.
            if situation is not Situation.SLOW:
                steps = bench.steps_to_fail(operation, situation)
            for step in steps:
                outputs = list(self._r21_outputs_of_call(bench, operation, situation, step))
                outputs.append(Output("the console", "".join(capfd.readouterr())))
                leaked = set[str]()
                for output in outputs:
                    forms = set(leaks.unescaped_forms(output.text))
                    for value_name, value in hidden:
                        for encoding in leaks.find_encodings(value, forms):
                            leaked.add(f"{value_name} is in {output.name} ({encoding})")
                assert not leaked, "; ".join(sorted(leaked))

    def _r21_outputs_of_call(
        self, bench: Bench, operation: fm.Operation, situation: Situation, step: int | None
    ) -> Iterator[Output]:
        """Make a call with and without the verifier; yield each output."""
        methods = [bench.call_verifier, bench.call_backend]
        if situation is Situation.SLOW:
            # One call only, because it is slow: by the verifier if the backend keeps no deadline.
            keeps_deadline = bench.backend.keeps_deadline
            methods = [bench.call_backend if keeps_deadline else bench.call_verifier]
        recorder = warnings.catch_warnings(record=True, action="always")
        with leaks.capture_log() as log, recorder as python_warnings:
            outcomes = [call(operation, situation, step=step) for call in methods]
        yield Output("the log", log.getvalue())
        messages = [str(warning.message) for warning in python_warnings or ()]
        yield Output("a warning", " ".join(messages))
        # The backend may hold a token after the call.
        yield Output("the backend's text", f"{bench.backend!r} {bench.backend}")
        with contextlib.suppress(Exception):  # it may not be picklable
            pickled = pickle.dumps(bench.backend)
            yield Output("the backend's pickle", pickled.decode("latin-1"))
        for outcome in outcomes:
            yield Output("an event", repr(outcome.events))
            pickled = pickle.dumps((outcome.result, outcome.error))
            yield Output("a pickle", pickled.decode("latin-1"))
            if outcome.error is not None:
                yield Output("the error with its frames", leaks.told_by(outcome.error))
            if outcome.result is not None:
                document = json.dumps(outcome.result.to_dict(), ensure_ascii=False)
                yield Output("the result", f"{outcome.result!r} {outcome.result} {document}")


@attrs.frozen
class Output:
    """A text that a call leaves behind."""

    name: str
    text: str


def _received_value(bench: Bench, operation: fm.Operation, option: str, value: Any) -> Any:
    """Make a call with an option; return what the vendor received of it, or NOT_RECEIVED."""
    outcome = bench.call_verifier(operation, PASSING[operation], **{option: value})
    assert outcome.error is None, f"with {option}={value!r} it raised {outcome.error!r}"
    return bench.simulator.received.get(option, NOT_RECEIVED)


def _hidden_values(bench: Bench, images: benches.Pair) -> set[tuple[str, bytes]]:
    """Return the name and bytes of each secret and each piece of a picture."""
    hidden = {(SECRET_NAME, secret) for secret in secret_parts_of(bench)}
    for image in itertools.chain(images, bench.prepare(images)):
        samples = leaks.picture_samples(image)
        bench.require_of_simulator(samples, "its pictures are too plain for leak tests: use others")
        hidden |= {("a picture", sample) for sample in samples}
    return hidden


SECRET_NAME = "a secret, or its beginning or end,"  # noqa: S105 - a description


def secret_parts_of(bench: Bench) -> set[bytes]:
    """Return the simulator's secrets; of a long one, both ends.

    Even the first characters of a key in a log are a leak.
    """
    parts = set()
    for secret in bench.simulator.secrets:
        if len(secret) < 24:
            parts.add(secret.encode())
        else:
            parts.add(secret[:12].encode())
            parts.add(secret[-12:].encode())
    return parts
