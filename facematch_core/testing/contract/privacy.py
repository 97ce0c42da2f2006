"""R21-R23, R36, R37, R42-R44: keys and faces stay where they belong."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import stat
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from facematch_core import (
    FaceMatchError,
    FaceVerifier,
    Image,
    Operation,
    Reconciled,
    Retention,
    Unsupported,
)
from facematch_core.backend import Backend
from facematch_core.http import is_loopback
from facematch_core.testing.bench import (
    MIDDLE,
    PASS,
    Bench,
    Outcome,
    Result,
    application_call,
    not_tested,
)
from facematch_core.testing.leaks import (
    captured_log,
    find_leaks,
    found_in,
    layers,
    picture_samples,
    told_by,
)
from facematch_core.testing.pictures import (
    digest,
    is_upright,
    jpeg_with_secrets,
    png_with_secrets,
    secrets_in,
    turned,
)
from facematch_core.testing.simulator import (
    ANSWERS,
    FAILURES,
    GOOD,
    STALLS,
    EngineSimulator,
    SimulatorReply,
    Situation,
    VendorSimulator,
)

from ._frame import Rules
from .shape import look, record_of

#: The pictures of a comparison, in their order; every other call has the first one alone.
PLACES = ("probe", "reference")

#: Each orientation of EXIF but the usual one, in either place.
ORIENTATIONS = ((6, 8), (8, 3), (3, 6), (2, 4), (4, 5), (5, 7), (7, 2))


class PrivacyRules(Rules):
    """Keys and faces stay where they belong."""

    @pytest.mark.parametrize(
        "situation",
        [*ANSWERS, *FAILURES, *STALLS],
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
        given = bench.simulator.pictures_for(situation)
        images = [*given, *(image.prepared(bench.can.image_limits) for image in given)]
        secrets = set(_private(bench, images))
        # Of a backend that keeps no deadline by itself, only the verifier ends a call.
        directly = situation not in STALLS or bench.backend.keeps_deadline
        for operation in operations:
            for step in bench.each_step(operation, situation):
                with captured_log() as log, warnings.catch_warnings(record=True) as warned:
                    warnings.simplefilter("always")
                    outcomes = [bench.ask(operation, situation, step=step)]
                    if directly:
                        outcomes.append(bench.ask_directly(operation, situation, step=step))
                places = [place for outcome in outcomes for place in _printed(outcome)]
                console = capfd.readouterr()
                places += [("the log", log.getvalue()), ("the console", console.out + console.err)]
                places += [("a warning", str(each.message)) for each in warned]
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
            if bench.simulator.takes_replies and situation is GOOD[operation]:
                found = set(_echoed(bench, operation))
                assert not found, f"a key that the vendor repeats is in {', '.join(sorted(found))}"

    def test_r22_demographics_are_dropped(self, bench: Bench) -> None:
        """A vendor's guesses of age, gender and race are dropped unless the caller asks for them.

        They decide nothing, they are wrong for some groups more than for others, and a table that
        holds them is a liability that nobody chose.
        """
        guesses = bench.simulator.demographics
        for operation in bench.operations_for(Situation.DEMOGRAPHICS):
            assert guesses, "the simulator does not say which guesses it sends"
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

        It ends up in somebody's traceback and in somebody's task queue.
        """
        backend = bench.backend
        verifier = FaceVerifier(backend)
        texts: list[str | bytes] = [
            f"{backend!r} {backend} {verifier!r} {verifier}",
            f"{backend.capabilities!r} {dict(backend.diagnose())!r}",
        ]
        with suppress(Exception):  # any refusal will do
            texts.append(pickle.dumps(backend))
        with pytest.raises(TypeError):
            pickle.dumps(verifier)
        for what, secret in secrets_of(bench):
            assert not find_leaks(secret, *texts), f"{what} in the backend's text or pickle"

    def test_r36_demographics_on_request(self, bench: Bench) -> None:
        """A vendor's guesses of age, gender and race arrive where the caller asks for them.

        Without them nobody can measure whether a vendor errs more often with some groups; a study
        that loses them on the way finds no groups at all.
        """
        guesses = bench.simulator.demographics
        for operation in bench.operations_for(Situation.DEMOGRAPHICS):
            assert guesses, "the simulator does not say which guesses it sends"
            asking = bench.open_verifier(keep_demographics=True)
            result = bench.ask(operation, Situation.DEMOGRAPHICS, verifier=asking).answer
            told = list(_values(_guesses(result)))
            missing = [
                key for key, guess in guesses.items() if not (guess is None or guess in told)
            ]
            assert not missing, f"asked for and sent, but with no face of the result: {missing}"

    def test_r37_nothing_is_written(self, bench: Bench) -> None:
        """A call writes no file, starts no program and asks nobody beyond this machine: pictures
        and answers stay in memory.

        A file outlives the program that was killed, is read by whoever shares the machine, and is
        in a backup before it is deleted. What another program or address is given is out of hand.
        """
        for operation in bench.operations:
            # What is fetched once and for good, such as a model, may be written: it is nobody's.
            bench.ask(operation, GOOD[operation])
        sends = not isinstance(bench.simulator, EngineSimulator)
        with traces(sends=sends) as written:
            verifier = FaceVerifier(bench.simulator.backend())
        found = {f"on opening: {file}" for file in written}
        try:
            for operation, situation in bench.cases((*ANSWERS, *FAILURES)):
                bench.prepare(situation)
                pictures = bench.simulator.pictures_for(situation)
                ask = application_call(verifier, operation, pictures, {})
                with traces(sends=sends) as written, suppress(FaceMatchError):
                    ask()
                found |= {f"{operation}, {situation}: {file}" for file in written}
        finally:
            with traces() as written:
                verifier.close()
        found |= {f"on closing: {file}" for file in written}
        assert not found, "\n".join(sorted(found))

    def test_r42_pictures_arrive_in_their_places(self, bench: Bench) -> None:
        """Each picture arrives in its own place, and upright.

        The vendor looks for life in the probe, not in the passport, and sees no face that lies on
        its side: whoever holds the telephone upright would never get in.
        """
        simulator = bench.simulator
        looks = Situation.TURNED not in simulator.cannot_happen
        for operation in bench.operations:
            given = bench.simulator.pictures_for(GOOD[operation])
            limits = bench.can.image_limits
            sent = {digest(p.prepared(limits).data): w for p, w in zip(given, PLACES, strict=True)}
            assert len(sent) == len(PLACES), "the simulator's two pictures are one: take others"
            for place, data in _arrived(bench, operation, given).items():
                found = sent.get(digest(data), "something else than was prepared")
                assert found == place, f"as the {place} arrived {found}"
            for wish in bench.wishes():
                for place, data in _arrived(bench, operation, given, wish).items():
                    found = sent.get(digest(data), "something else than was prepared")
                    assert found == place, f"with {wish} as the {place} arrived {found}"
            for one, other in ORIENTATIONS:
                held = (turned(given[0], one), turned(given[1], other))
                for place, data in _arrived(bench, operation, held).items():
                    upright = is_upright(data, given[PLACES.index(place)])
                    assert upright, f"the {place} arrived turned"
                if looks and isinstance(simulator, EngineSimulator):
                    # What it was handed says nothing of what it looked at.
                    seen = bench.ask(operation, GOOD[operation], images=held).answer.decision
                    assert seen is PASS[operation], f"turned by EXIF ({one}, {other}) it is {seen}"

    def test_r43_pictures_arrive_without_private_data(self, bench: Bench) -> None:
        """No position, name or comment in a picture's file reaches the vendor.

        A selfie can show where somebody lives. It was given for the face in it, and the vendor may
        keep it for years; the face itself arrives pixel for pixel.
        """
        for operation in bench.operations:
            probe, reference = bench.simulator.pictures_for(GOOD[operation])
            for of_probe, of_reference in (
                (jpeg_with_secrets, png_with_secrets),
                (png_with_secrets, jpeg_with_secrets),
            ):
                given = (of_probe(probe), of_reference(reference))
                for place, data in _arrived(bench, operation, given).items():
                    found = list(secrets_in(data))
                    assert not found, f"the {place} arrived with {', '.join(found)}"
                    prepared = given[PLACES.index(place)].prepared(bench.can.image_limits)
                    size = Image.from_bytes(data).upright_size
                    assert size == prepared.upright_size, f"the {place} arrived in another size"

    def test_r44_keep_nothing_is_the_default(self, bench: Bench) -> None:
        """The vendor keeps nobody's face unless the caller asks for it.

        Keeping a face needs a legal ground, and somebody who answers for it until it is deleted. A
        record that exists because nobody said no has neither.
        """
        # What a caller may say of a call, alone and together, who does not ask to keep it.
        wishes: dict[str, Any] = {"caller_ref": "visitor 7", "metadata": {"desk": 3}}
        wishes["threshold"] = MIDDLE
        alone = [w for w in bench.wishes() if "retention" not in w]
        if bench.can.rotate:
            wishes["rotate"] = True
        for operation in bench.operations:
            for options in ({}, *({w: value} for w, value in wishes.items()), wishes, *alone):
                _is_not_kept(bench, operation, options)
            # What is not known of one call is no reason to keep the next one.
            for trouble in (Situation.LOST_ANSWER, Situation.OUTAGE):
                if trouble in bench.simulator.situations:
                    bench.ask(operation, trouble)
                    _is_not_kept(bench, operation, {})


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


def _echoed(bench: Bench, operation: Operation) -> Iterator[str]:
    """Where a key is seen that the vendor repeats in every text of a good answer."""
    simulator = bench.simulator
    call = bench.call(operation, GOOD[operation])
    bench.prepare(GOOD[operation])
    bench.made(call)
    good = simulator.last_reply
    with suppress(ValueError):  # in another form than JSON nothing is known of it
        document = json.loads(b"" if good is None else good.content)
        for secret in simulator.secrets:
            simulator.set_reply(SimulatorReply(body=_with_echo(document, secret)))
            for where, text in _printed(bench.made(call)):
                if find_leaks(secret, text):
                    yield where


def _with_echo(document: Any, secret: str) -> Any:
    if isinstance(document, dict):
        return {key: _with_echo(value, secret) for key, value in document.items()}
    if isinstance(document, list):
        return [_with_echo(value, secret) for value in document]
    return f"{document} {secret}" if isinstance(document, str) else document


#: Characters of a long secret that may not be seen either, at both its ends.
_PART = 12


def secrets_of(bench: Bench) -> Iterator[tuple[str, bytes]]:
    """The simulator's secrets and their ends, each with what it is."""
    for secret in bench.simulator.secrets:
        yield "a secret", secret.encode()
        if len(secret) >= 2 * _PART:
            # "Only the beginning" is how keys get into logs.
            for part in (secret[:_PART], secret[-_PART:]):
                yield "a part of a secret", part.encode()


def _private(bench: Bench, images: Sequence[Image]) -> Iterator[tuple[str, bytes]]:
    yield from secrets_of(bench)
    for image in images:
        samples = picture_samples(image)
        assert samples, "the simulator's pictures are too plain to be found again: take others"
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
    """Whether one of these values is that guess, or a text that contains it."""
    number = isinstance(guess, float) and guess.is_integer()
    words = f"{guess:.0f}(\\.0+)?" if number else re.escape(str(guess))
    # Not a part of a longer number, of a time or of an id.
    alone = re.compile(rf"(?<![\w.:/-]){words}(?![\w]|[.:/-]\w)", re.IGNORECASE)
    return any(
        alone.search(value) if isinstance(value, str) else json.dumps(value) == json.dumps(guess)
        for value in told
    )


def _guesses(result: Result) -> list[Any]:
    """What is reported of each face as a guess about the person."""
    document = result.to_dict()
    faces = [*(document["probe_faces"] or ()), *(document.get("reference_faces") or ())]
    return [face["demographics"] for face in faces]


def _arrived(
    bench: Bench,
    operation: Operation,
    given: tuple[Image, Image],
    wish: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Make one call; the pictures of it as the vendor got them, by place."""
    outcome = bench.ask(operation, GOOD[operation], images=given, **wish or {})
    # Whatever the vendor makes of a picture that lies on its side.
    assert outcome.requests, f"nothing was sent: {outcome.told}"
    received = bench.simulator.received
    arrived = {place: received[place] for place in PLACES if received.get(place) is not None}
    if not arrived:
        assert outcome.error is None, f"the call was refused: {outcome.told}"
        not_tested(f"{type(bench.simulator).__name__} does not say which pictures arrived.")
    # Names only: a failing assertion prints what it compares.
    places, kinds = tuple(arrived), {type(data) for data in arrived.values()}
    wanted = PLACES if operation is Operation.MATCH else PLACES[:1]
    assert places == wanted, f"a {operation} call sends {' and '.join(wanted)}"
    assert kinds == {bytes}, "`received` of the simulator must hold the pictures as bytes"
    return arrived


def _is_not_kept(bench: Bench, operation: Operation, options: dict[str, Any]) -> None:
    outcome = bench.ask(operation, GOOD[operation], **options)
    if Retention.MINIMAL not in bench.can.retention:
        assert isinstance(outcome.error, Unsupported), "kept, and nobody asked for it"
        assert outcome.requests == 0
        return
    told = bench.simulator.received.get("retention")
    # Nothing needs to be sent where there is no choice; where there is, R26 wants it declared.
    assert told is Retention.MINIMAL or (told is None and len(bench.can.retention) == 1)
    assert outcome.answer.ids.session is None, "a record of a call that was not to be kept"
    # The vendor's records, where one can look into them, hold nothing of the call.
    if type(bench.backend).reconcile is not Backend.reconcile:
        found = look(bench, record_of(bench, operation, outcome.answer))
        kept = found is not None and found.outcome is Reconciled.FOUND
        assert not kept, "kept, and nobody asked for it"


# --- What a backend leaves behind ----------------------------------------------------------------
#
# Reported by Python's own audit events. Judged is what happens in the thread that looks, and in any
# other what a method of a backend does. What a simulator does is its own; what a library of C opens
# by itself raises no event and is not seen.

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

#: Audit event of a file to the place of the path among its arguments; of "open" the third one says
#: whether it writes.
_FILES = {
    "open": 0,
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.mkdir": 0,
    "os.truncate": 0,
    "sqlite3.connect": 0,
}

#: Those of what is sent, and of all, with programs that are started, to the place of what is shown.
_ADDRESSES = {"socket.connect": 1, "socket.sendto": 1}
_EVENTS = {
    **_FILES,
    **_ADDRESSES,
    **dict.fromkeys(("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"), 0),
}

#: Modules that write what they make of source code.
_COMPILERS = ("importlib._bootstrap", "_frozen_importlib", "_pytest.assertion")

#: Those under way: the thread that looks, and what was written meanwhile.
_watches: list[tuple[int, list[str], bool]] = []
_installed = threading.Event()


@contextlib.contextmanager
def traces(*, sends: bool = True) -> Iterator[list[str]]:
    """Every file that a backend writes meanwhile, program that it starts and address that it asks,
    with the function that does it.

    Args:
        sends: Whether addresses on this machine are those of its vendor's simulator.
    """
    if not _installed.is_set():
        # For good: a hook cannot be taken away. It does nothing while nobody looks.
        _installed.set()
        sys.addaudithook(_hook)
    watch = (threading.get_ident(), list[str](), sends)
    _watches.append(watch)
    try:
        yield watch[1]
    finally:
        _watches.remove(watch)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watches or event not in _EVENTS:
        return
    what = arguments[_EVENTS[event]]
    if event in _FILES:
        if (event == "open" and not (arguments[2] or 0) & _WRITES) or not _is_file(what):
            return
        what = os.fsdecode(what)
    here = threading.get_ident()
    for thread, found, sends in tuple(_watches):
        if event in _ADDRESSES and sends and _is_here(what):
            continue
        if by := _writer(sys._getframe(1), own=thread == here):  # noqa: SLF001 - the public way makes a whole stack of objects
            found.append(f"{what} ({event}, in {by})")


def _is_here(address: object) -> bool:
    """Whether an address of a socket is on this machine."""
    if not isinstance(address, tuple) or not isinstance(address[0], str):
        return True  # a path
    return is_loopback(address[0])


def _is_file(path: object) -> bool:
    """Whether `path` names what could keep something: no descriptor, device, pipe or memory."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    name = os.fsdecode(path)
    if name == os.devnull or ":memory:" in name or "mode=memory" in name:
        return False
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _writer(frame: FrameType | None, *, own: bool) -> str | None:
    """The function that is to be named; None if what writes is nobody to be judged.

    Args:
        frame: Where it is written.
        own: Whether that is the thread that looks.
    """
    named = None
    while frame is not None:
        module, code = str(frame.f_globals.get("__name__")), frame.f_code
        if named is None and module.startswith(_COMPILERS):
            return None
        if named is None and module.partition(".")[0] not in sys.stdlib_module_names:
            named = f"{module}.{code.co_qualname}"
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        # Not isinstance: it asks the object, which may be somebody's proxy.
        if issubclass(type(first), VendorSimulator):
            return None
        if issubclass(type(first), Backend):
            return named
        frame = frame.f_back
    return named if own else None
