"""R21-R23, R36, R37: keys and faces stay where they belong."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from facematch_core import FaceMatchError, FaceVerifier, Image
from facematch_core.testing._forms import found_in, layers
from facematch_core.testing._leaks import captured_log, find_leaks, picture_samples, told_by
from facematch_core.testing._situations import ANSWERS, FAILURES, GOOD, Situation

from ._bench import Bench, call
from ._outcome import Outcome, Result
from ._rules import Rules
from ._writing import files_written


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


def _private(bench: Bench, images: Sequence[Image]) -> Iterator[tuple[str, bytes]]:
    for secret in bench.double.secrets:
        yield "a secret", secret.encode()
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


def _stands_in(guess: Any, told: Iterable[Any]) -> bool:
    """Whether one of these values is that guess, or a text that tells it."""
    number = isinstance(guess, float) and guess.is_integer()
    words = f"{guess:.0f}(\\.0+)?" if number else re.escape(str(guess))
    # Not a part of a longer number, of a time or of an id.
    alone = re.compile(rf"(?<![\w.:/-]){words}(?![\w]|[.:/-]\w)", re.IGNORECASE)
    return any(
        alone.search(value) if isinstance(value, str) else json.dumps(value) == json.dumps(guess)
        for value in told
    )


def _guesses(result: Result) -> list[Any]:
    """What is told of each face as a guess about the person."""
    document = result.to_dict()
    faces = [*(document["probe_faces"] or ()), *(document.get("reference_faces") or ())]
    return [face["demographics"] for face in faces]


class PrivacyRules(Rules):
    """Keys and faces stay where they belong."""

    @pytest.mark.parametrize(
        "situation",
        [*ANSWERS, *FAILURES, Situation.SLOW],
        ids=lambda situation: situation.value,
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
            whole = b"\0".join(layer for _, text in places for layer in layers(text))
            found = {
                f"{what} in {where} ({', '.join(forms)})"
                for what, secret in secrets
                if found_in(secret, [whole])
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
            result = bench.ask(operation, Situation.DEMOGRAPHICS).answer
            assert all(guess is None for guess in _guesses(result))
            document = result.to_dict()
            # Our own field of that name, which is None, is not the vendor's.
            told = [*_values(document)]
            kept = [v for v in guesses.values() if v is not None and _stands_in(v, told)]
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

    def test_r36_demographics_on_request(self, bench: Bench) -> None:
        """Guesses of age, gender and race are handed on where they are asked for.

        Whether a vendor errs more often with some groups cannot be told without them, and a study
        of a vendor whose guesses were lost on the way finds no group at all.
        """
        guesses = bench.double.demographics
        for operation in bench.operations_for(Situation.DEMOGRAPHICS):
            assert guesses, "the double does not tell which guesses it sends"
            asking = bench.open_verifier(keep_demographics=True)
            result = bench.ask(operation, Situation.DEMOGRAPHICS, verifier=asking).answer
            told = list(_values(_guesses(result)))
            missing = [
                key for key, guess in guesses.items() if not (guess is None or guess in told)
            ]
            assert not missing, f"asked for and sent, but with no face of the result: {missing}"

    def test_r37_nothing_is_written(self, bench: Bench) -> None:
        """A call writes no file: pictures and answers stay in memory.

        A file outlives the program that was killed, is read by whoever shares the machine, and is
        in a backup before it is deleted.
        """
        for operation in bench.operations:
            # What is fetched once and for good, such as a model, may be written: it is nobody's.
            bench.ask(operation, GOOD[operation])
        with files_written() as written:
            verifier = FaceVerifier(bench.double.backend())
        found = {f"on opening: {file}" for file in written}
        try:
            for operation, situation in bench.cases((*ANSWERS, *FAILURES)):
                bench.double.prepare(situation)
                ask = call(verifier, operation, bench.double.pictures_for(situation), {})
                with files_written() as written, suppress(FaceMatchError):
                    ask()
                found |= {f"{operation}, {situation}: {file}" for file in written}
        finally:
            with files_written() as written:
                verifier.close()
        found |= {f"on closing: {file}" for file in written}
        assert not found, "\n".join(sorted(found))
