"""R21-R23, R37, R42, R44: keys and faces stay where they belong."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import os
import pickle
import re
import stat
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote_to_bytes

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.http import is_loopback
from facematch_core.testing import leaks, pictures, simulator
from facematch_core.testing.bench import MIDDLE, PASS, Bench, Outcome, not_tested
from facematch_core.testing.simulator import ANSWERS, FAILURES, GOOD, Situation
from facematch_core.verifier.pipeline import PICTURES

from ._frame import Rules, rule
from .records import find, record_of

#: Where one may look, and what is there; or what is looked for, and its bytes.
Text = tuple[str, str | bytes]

Pair = tuple[fm.Image, fm.Image]
Wish = Mapping[str, Any]

#: Where something can leak in a way of its own: answers that are read by other lines of a plug-in,
#: whatever goes wrong, and an answer that does not come.
LEAKING = (
    *(Situation.SAME_PERSON, Situation.LIVE, Situation.NO_FACE, Situation.UNKNOWN_STATUS),
    *(Situation.UNKNOWN_WARNING, *FAILURES, Situation.SLOW),
)


class PrivacyRules(Rules):
    """Keys and faces stay where they belong."""

    @pytest.mark.parametrize("situation", LEAKING, ids=str)
    @rule("R51")
    def test_r21_nothing_leaks(self, bench: Bench, situation: Situation) -> None:
        """No key, token or picture is in a result, an error, its frames, an event or a log.

        Results go to databases and errors to trackers that others read. A face cannot be changed
        like a password.
        """
        for operation in bench.operations_for(situation):
            pair, hidden = bench.simulator.pictures_for(situation), {*secrets_of(bench)}
            for image in (*pair, *bench.fit(pair)):
                samples = leaks.picture_samples(image)
                assert samples, "the simulator's pictures are too plain to be found: take others"
                hidden |= {("a picture", sample) for sample in samples}
            # What does not come a plug-in never reads, whichever request it is.
            stalls = situation is Situation.SLOW
            for step in [None] if stalls else bench.each_step(operation, situation):
                leaked = _find_leaks(hidden, _observe(bench, operation, situation, step))
                assert not leaked, f"{operation}, {situation}: {leaked}"

    @rule("R51")
    def test_r22_demographics_are_dropped(self, bench: Bench) -> None:
        """A vendor's guesses of age, gender and race are dropped unless the caller asks for them,
        and arrive if the caller does.

        They decide nothing, they are wrong for some groups more than for others, and a table that
        holds them is a liability that nobody chose. Yet without them nobody can measure whether a
        vendor errs more often with some groups.
        """
        guesses = bench.simulator.demographics
        operations = bench.operations_for(Situation.DEMOGRAPHICS)
        assert guesses, "`demographics` of the simulator does not say which guesses it sends"
        guesses = {key: guess for key, guess in guesses.items() if guess is not None}
        asking = bench.open_verifier(keep_demographics=True)
        for operation in operations:
            document = bench.ask(operation, Situation.DEMOGRAPHICS).answer.to_dict()
            text, raw = (json.dumps(of, ensure_ascii=False) for of in (document, document["raw"]))
            kept = {key for key, guess in guesses.items() if _stands_in(guess, text)}
            kept |= {key for key in bench.simulator.demographics if f'"{key}"' in raw}
            assert not kept, (
                f"{operation}: nobody asked for it, and the result has {sorted(kept)}; what stands "
                "in `raw` is dropped if `Capabilities.demographic_keys` declares it"
            )
            result = bench.ask(operation, Situation.DEMOGRAPHICS, verifier=asking).answer
            faces = *(result.probe_faces or ()), *(getattr(result, "reference_faces", None) or ())
            people = [face.demographics for face in faces if face.demographics]
            values = [value for person in people for value in attrs.astuple(person)]
            missing = [key for key, guess in guesses.items() if guess not in values]
            assert not missing, f"{operation}: asked for, and with no face of the result: {missing}"

    @rule()
    def test_r23_backends_keep_their_secrets(self, bench: Bench) -> None:
        """A backend prints and pickles without its secrets, or refuses to be pickled.

        It ends up in somebody's traceback and in somebody's task queue.
        """
        leaked = _find_leaks(secrets_of(bench), _show(bench.backend))
        assert not leaked, leaked

    @rule("R51")
    def test_r37_nothing_is_written(self, bench: Bench) -> None:
        """A call writes no file, starts no program and asks nobody beyond this machine: pictures
        and answers stay in memory.

        A file outlives the program that was killed, is read by whoever shares the machine, and is
        in a backup before it is deleted. What another program or address is given is out of hand.
        """
        for operation in bench.operations:
            # What is fetched once and for good, such as a model, may be written: it is nobody's.
            bench.ask(operation, GOOD[operation])
        sends = not isinstance(bench.simulator, simulator.EngineSimulator)
        with traces(sends=sends) as opening:
            verifier = bench.open_verifier()
        found_by = {"on opening": opening}
        for operation, situation in bench.cases((*ANSWERS, *FAILURES)):
            with traces(sends=sends) as found_by[f"{operation}, {situation}"]:
                bench.ask(operation, situation, verifier=verifier)
        with traces() as found_by["on closing"]:
            verifier.close()
        texts = [f"{when}: {trace}" for when, traced in found_by.items() for trace in traced]
        assert not texts, "\n".join(texts)

    @rule("R51")
    def test_r42_pictures_arrive_in_their_places(self, bench: Bench) -> None:
        """Each picture arrives in its own place, and upright.

        The vendor looks for life in the probe, not in the passport, and sees no face that lies on
        its side: whoever holds the telephone upright would never get in.
        """
        for operation in bench.operations:
            probe, reference = pair = bench.simulator.pictures_for(GOOD[operation])
            for wish in ({}, *bench.wishes(operation)):
                _judge_places(bench, operation, pair, wish)
            # Others than before, and files that are not sent as they are.
            noted = pictures.add_note(probe), pictures.add_note(reference)
            _judge_places(bench, operation, noted, {})
            for turns in ((6, 8), (3, 2), (5, 4), (7, 6)):
                held = pictures.turn(probe, turns[0]), pictures.turn(reference, turns[1])
                outcome, arrived = _receive(bench, operation, held, {})
                for place, image, turn in zip(PICTURES, pair, turns, strict=True):
                    upright = place not in arrived or pictures.is_upright(arrived[place], image)
                    where = f"{operation}: the {place} of EXIF orientation {turn}"
                    assert upright, f"{where} arrived turned"
                looks = Situation.TURNED not in bench.simulator.cannot_happen
                if looks and isinstance(bench.simulator, simulator.EngineSimulator):
                    # What it was handed says nothing of what it looked at.
                    decision, how = outcome.answer.decision, f"EXIF orientations {turns}"
                    assert decision is PASS[operation], f"{operation} of {how} gives {decision}"

    @rule("R51")
    def test_r44_keep_nothing_is_the_default(self, bench: Bench) -> None:
        """The vendor keeps nobody's face unless the caller asks for it.

        Keeping a face needs a legal ground, and somebody who answers for it until it is deleted. A
        record that exists because nobody said no has neither.
        """
        besides = {"caller_ref": "visitor 7", "metadata": {"desk": 3}, "threshold": MIDDLE}
        for operation in bench.operations:
            wishes = [wish for wish in bench.wishes(operation) if "retention" not in wish]
            for options in ({}, besides, *wishes):
                _judge_unkept(bench, operation, options)
        # What is not known of one call is no reason to keep the next one.
        for operation, trouble in bench.cases((Situation.LOST_ANSWER, Situation.OUTAGE)):
            bench.ask(operation, trouble)
            _judge_unkept(bench, operation, {}, f" after {trouble}")


def secrets_of(bench: Bench) -> Iterator[tuple[str, bytes]]:
    """The simulator's secrets, each with what it is; of a long one both its ends."""
    for secret in bench.simulator.secrets:
        # "Only the beginning" is how keys get into logs; the whole of it has both.
        ends, what = {secret}, "a secret"
        if len(secret) >= 24:
            ends, what = {secret[:12], secret[-12:]}, "the beginning or end of a secret"
        yield from ((what, end.encode()) for end in ends)


def _observe(
    bench: Bench, operation: fm.Operation, situation: Situation, step: int | None
) -> list[Text]:
    """Whatever can be seen of a call, made as an application does, and directly."""
    ways = [bench.ask, bench.ask_directly]
    if situation is Situation.SLOW:
        # Once, since it takes its time; without a deadline of the backend's own by the verifier.
        ways = [bench.ask_directly if bench.backend.keeps_deadline else bench.ask]
    with (
        leaks.capture_log() as log,
        warnings.catch_warnings(record=True, action="always") as warned,
        leaks.capture_console() as console,
    ):
        outcomes = [ask(operation, situation, step=step) for ask in ways]
    seen: list[Text] = [("the log", log.getvalue()), ("the console", console[0])]
    seen += _show(bench.backend)  # it may hold a token by now
    seen += [("a warning", str(each.message)) for each in warned]
    for outcome in outcomes:
        seen += [("an event", repr(event)) for event in outcome.events]
        if outcome.error is not None:
            seen.append(("the error with its frames", leaks.told_by(outcome.error)))
            seen.append(("the pickled error", pickle.dumps(outcome.error)))
        if (result := outcome.result) is not None:
            seen.append(("the result", f"{result!r} {result}"))
            seen.append(("the JSON form", json.dumps(result.to_dict(), ensure_ascii=False)))
            seen.append(("the pickled result", pickle.dumps(result)))
    return seen


def _show(backend: Backend) -> list[Text]:
    seen: list[Text] = [("the backend's text", f"{backend!r} {backend}")]
    with contextlib.suppress(Exception):  # any refusal will do
        seen.append(("its pickle", pickle.dumps(backend)))
    return seen


def _find_leaks(hidden: Iterable[tuple[str, bytes]], seen: list[Text]) -> str:
    """What is seen where, and written how, never what it is; "" if nothing is."""
    # Hardly anything is ever found: places are told apart only for what is.
    whole = b"\0".join(layer for _, text in seen for layer in leaks.layers(text))
    places = {
        f"{what} is in {where} ({', '.join(forms)})"
        for what, secret in hidden
        if leaks.find_forms(secret, [whole])
        for where, text in seen
        if (forms := leaks.find_leaks(secret, text))
    }
    return "; ".join(sorted(places))


def _stands_in(guess: Any, text: str) -> bool:
    """Whether JSON has that guess as a value, or within a text."""
    number = isinstance(guess, float) and guess.is_integer()
    words = f"{guess:.0f}(\\.0+)?" if number else re.escape(str(guess))
    # Not a part of a longer number, of a time or of an id.
    alone = rf"(?<![\w.:/-]){words}(?![\w]|[.:/-]\w)"
    return re.search(alone, text, re.IGNORECASE) is not None


def _receive(
    bench: Bench, operation: fm.Operation, pair: Pair, wish: Wish
) -> tuple[Outcome, dict[str, bytes]]:
    bench.simulator.overheard = []
    outcome = bench.ask(operation, GOOD[operation], images=pair, **wish)
    requests, bench.simulator.overheard = bench.simulator.overheard, None
    call = _name_call(operation, wish)
    for place, image in zip(PICTURES, bench.fit(pair), strict=True):
        text = base64.b64encode(image.data)
        broken = any(
            text in unquote_to_bytes(re.sub(rb"(?i:\\[rn]|%0[ad])", b"", request.body))
            and text not in unquote_to_bytes(request.body)
            for request in requests
        )
        assert not broken, (
            f"{call}: the {place} arrived as base64 with line breaks, which is no base64 to many "
            "decoders (`b64encode` writes none)"
        )
    assert outcome.requests, f"nothing was sent: {outcome.summary}"
    received = bench.simulator.received
    arrived = {place: received[place] for place in PICTURES if received.get(place) is not None}
    if not arrived:
        assert outcome.error is None, f"the call was refused: {outcome.summary}"
        not_tested(f"{type(bench.simulator).__name__} does not say which pictures arrived.")
    # Names and kinds only: no picture is to be printed.
    due = PICTURES if operation is fm.Operation.MATCH else PICTURES[:1]
    places = " and ".join(arrived)
    assert tuple(arrived) == due, f"{call} sends {' and '.join(due)}, and {places} arrived"
    are_bytes = all(type(data) is bytes for data in arrived.values())
    assert are_bytes, "`received` of the simulator must hold the pictures as bytes"
    return outcome, arrived


def _judge_places(bench: Bench, operation: fm.Operation, pair: Pair, wish: Wish) -> None:
    places = zip(bench.fit(pair), PICTURES, strict=True)
    sent = {image.sent_digest: place for image, place in places}
    assert len(sent) == len(PICTURES), "the simulator's two pictures are one: take others"
    for place, data in _receive(bench, operation, pair, wish)[1].items():
        which = sent.get(hashlib.sha256(data).hexdigest(), "other one: not what was prepared")
        call = _name_call(operation, wish)
        assert which == place, f"{call}: the {place} that arrived is the {which}"


def _name_call(operation: fm.Operation, wishes: Iterable[str]) -> str:
    return f"a {operation} call{' with ' if wishes else ''}{' and '.join(wishes)}"


def _judge_unkept(bench: Bench, operation: fm.Operation, options: Wish, when: str = "") -> None:
    call = f"{_name_call(operation, options)}{when}"
    outcome = bench.ask(operation, GOOD[operation], **options)
    if fm.Retention.MINIMAL not in bench.can.retention:
        return  # the core has refused it
    answer, retention = outcome.answer, bench.simulator.received.get("retention")
    # Nothing needs to be sent where there is no choice; where there is, R25 wants it declared.
    right = retention is None and len(bench.can.retention) == 1
    assert right or retention is fm.Retention.MINIMAL, (
        f"{call}: nobody asked to keep it, and the vendor understood {retention}"
    )
    assert answer.ids.session is None, f"{call}: `ids.session` names a record of it"
    # The vendor's records, where one can look into them, hold nothing of the call. That a vendor
    # which answers later knows the result of a job by its own id is another matter.
    record = attrs.evolve(record_of(bench, operation, answer), vendor_id=None)
    kept = find(bench, record) if bench.backend.reconcilable(record) else None
    assert kept is None, f"{call}: nobody asked to keep it, and it is in the vendor's records"


# --- What a backend leaves behind ----------------------------------------------------------------
#
# As Python's own audit events tell it: of what a method of a backend does, in whichever thread.
# What a library of C opens by itself raises none.

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

#: Audit events, and the place among their arguments of what is shown: a path, an address, a
#: program. Of "open" the third argument says whether it writes.
_FILES = dict.fromkeys(("open", "os.mkdir", "os.truncate", "sqlite3.connect"), 0)
_FILES |= dict.fromkeys(("os.rename", "os.link", "os.symlink"), 1)
_ADDRESSES = dict.fromkeys(("socket.connect", "socket.sendto"), 1)
_PROGRAMS = dict.fromkeys(("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"), 0)
_EVENTS = _FILES | _ADDRESSES | _PROGRAMS

#: Modules that write what they make of source code.
_COMPILERS = ("importlib._bootstrap", "_frozen_importlib", "_pytest.assertion")

#: What was seen meanwhile, and `sends`.
_watches: list[tuple[list[str], bool]] = []

#: Once for each hook and for good: it cannot be taken away.
_add_hook = functools.cache(sys.addaudithook)


@contextlib.contextmanager
def traces(*, sends: bool = True) -> Iterator[list[str]]:
    """What a backend writes, starts and asks meanwhile; nobody on this machine if it `sends`."""
    _add_hook(_hook)
    watch = (list[str](), sends)
    _watches.append(watch)
    try:
        yield watch[0]
    finally:
        _watches.remove(watch)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    place = _EVENTS.get(event) if _watches else None
    if place is None or (event == "open" and not (arguments[2] or 0) & _WRITES):
        return
    what = arguments[place]
    if event in _FILES and not _is_file(what):
        return
    # An address that is no pair, such as a path, is on this machine.
    is_net = event in _ADDRESSES and isinstance(what, tuple) and isinstance(what[0], str)
    is_here = event in _ADDRESSES and (not is_net or is_loopback(what[0]))
    if by := _writer(sys._getframe(1)):  # noqa: SLF001 - the public way makes a whole stack of objects
        shown = os.fsdecode(what) if event in _FILES else what
        for texts, sends in tuple(_watches):
            if not (sends and is_here):
                texts.append(f"{shown} ({event}, in {by})")


def _is_file(path: object) -> bool:
    """Whether `path` names what could keep something: no descriptor, device, pipe or memory."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    name = os.fsdecode(path)
    if ":memory:" in name or "mode=memory" in name:
        return False
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _writer(frame: FrameType | None) -> str | None:
    """The function to be named, if a method of a backend calls it; None if anybody else does."""
    named = None
    while frame is not None:
        module, code = str(frame.f_globals.get("__name__")), frame.f_code
        if named is None and module.startswith(_COMPILERS):
            return None
        if named is None and module.partition(".")[0] not in sys.stdlib_module_names:
            named = f"{module}.{code.co_qualname}"
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        # Not isinstance: it asks the object, which may be somebody's proxy.
        if issubclass(type(first), (Backend, simulator.VendorSimulator)):
            return named if issubclass(type(first), Backend) else None
        frame = frame.f_back
    return None
