"""R21-R23: keys and faces stay where they belong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from facematch_core import FaceVerifier, Image
from facematch_core.testing._leaks import captured_log, find_leaks, picture_samples, told_by
from facematch_core.testing._situations import ANSWERS, FAILURES, Situation

from ._bench import Bench
from ._outcome import Outcome
from ._rules import Rules


def _printed(outcome: Outcome) -> Iterator[tuple[str, str | bytes]]:
    """Everything that a program may do with an outcome, by what it is called."""
    for event in outcome.events:
        yield "an event", repr(event)
    if outcome.error is not None:
        yield "the error with its frames", told_by(outcome.error)
        yield "the pickled error", pickle.dumps(outcome.error)
    if outcome.result is not None:
        yield "the result", f"{outcome.result!r} {outcome.result}"
        yield "the JSON form", json.dumps(outcome.result.to_dict(), ensure_ascii=False)
        yield "the pickled result", pickle.dumps(outcome.result)


def _private(bench: Bench, images: Sequence[Image]) -> Iterator[tuple[str, str | bytes]]:
    for secret in bench.double.secrets:
        yield "a secret", secret
    for image in images:
        samples = picture_samples(image)
        assert samples, "the double's pictures are too plain to be found again: take others"
        for sample in samples:
            yield "a picture", sample


def _values(document: Any) -> Iterator[Any]:
    """Every key and value in a JSON document, at any depth."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield key
            yield from _values(value)
    elif isinstance(document, (list, tuple)):
        for value in document:
            yield from _values(value)
    else:
        yield document


class PrivacyRules(Rules):
    """Keys and faces stay where they belong."""

    @pytest.mark.parametrize(
        "situation", [*ANSWERS, *FAILURES], ids=lambda situation: situation.value
    )
    def test_r21_nothing_leaks(
        self, bench: Bench, situation: Situation, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No key, token or picture is in a result, an error, its frames, an event or a log.

        Results go to databases and errors to trackers that others read. A face cannot be changed
        like a password.
        """
        operations = bench.operations_for(situation)
        given = bench.double.pictures_for(situation)
        images = [*given, *(image.prepared(bench.can.image_limits) for image in given)]
        secrets = set(_private(bench, images))
        for operation in operations:
            with captured_log() as log:
                outcomes = [
                    bench.ask_directly(operation, situation),
                    bench.ask(operation, situation),
                ]
            places = [place for outcome in outcomes for place in _printed(outcome)]
            console = capfd.readouterr()
            places += [("the log", log.getvalue()), ("the console", console.out + console.err)]
            texts = [text for _, text in places]
            found = {
                f"{what} in {where} ({', '.join(forms)})"
                for what, secret in secrets
                if find_leaks(secret, *texts)
                for where, text in places
                if (forms := find_leaks(secret, text))
            }
            # The assertion shows where, never what.
            assert not found, found

    def test_r22_demographics_are_dropped(self, bench: Bench) -> None:
        """A vendor's guesses of age, gender and race are not handed on unless asked for.

        They decide nothing, they are wrong for some groups more than for others, and a table that
        holds them is a liability that nobody chose.
        """
        guesses = bench.double.demographics
        for operation in bench.operations_for(Situation.DEMOGRAPHICS):
            assert guesses, "the double does not tell which guesses it sends"
            document = bench.ask(operation, Situation.DEMOGRAPHICS).answer.to_dict()
            faces = [*(document["probe_faces"] or ()), *(document.get("reference_faces") or ())]
            assert all(face["demographics"] is None for face in faces)
            # Our own field of that name, which is None, is not the vendor's.
            told = {json.dumps(value) for value in _values(document)}
            kept = [v for v in guesses.values() if v is not None and json.dumps(v) in told]
            assert not kept, f"kept in the result: {kept}"
            raw = set(_values(document["raw"]))
            assert not raw & set(guesses), f"kept in raw: {raw & set(guesses)}"

    def test_r23_backends_keep_their_secrets(self, bench: Bench) -> None:
        """A backend prints and pickles without its secrets, or refuses to be pickled.

        It is a local variable in somebody's traceback and an argument of somebody's task queue.
        """
        backend = bench.backend
        verifier = FaceVerifier(backend)
        texts: list[str | bytes] = [
            f"{backend!r} {backend} {verifier!r} {verifier}",
            f"{backend.capabilities!r} {dict(backend.diagnose())!r}",
        ]
        try:
            texts.append(pickle.dumps(backend))
        except Exception:  # noqa: BLE001 - any refusal will do
            texts.append("")
        with pytest.raises(TypeError):
            pickle.dumps(verifier)
        for secret in bench.double.secrets:
            assert not find_leaks(secret, *texts), "a secret in the backend's text or pickle"
