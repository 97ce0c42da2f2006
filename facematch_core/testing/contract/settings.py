"""R24, R25, R31, R47: what cannot be done is refused, and settings are held."""

from __future__ import annotations

import enum
import inspect
import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from traceback import walk_tb
from typing import Any

import attrs

import facematch_core as fm
from facematch_core.backend import Backend, Secret
from facematch_core.backend.kinds import choices_of
from facematch_core.base.deadline import Deadline
from facematch_core.config.settings import declared_settings
from facematch_core.http import HttpBackend
from facematch_core.testing.bench import (
    DEADLINE_S,
    PASS,
    Bench,
    Outcome,
    does_not_apply,
    not_tested,
)
from facematch_core.testing.leaks import capture_log, find_leaks
from facematch_core.testing.pictures import noise, pictures_beyond, pictures_within
from facematch_core.testing.simulator import GOOD, SimulatorReply, Situation
from facematch_core.verifier.pipeline import PICTURES

from ._frame import Rules, rule
from .privacy import secrets_of, traces

#: What a caller may want to find again: as long as two ids, and with more than one kind of value.
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}

UNTOLD = "nothing"

#: By how much a megabyte of 1,024 times 1,024 bytes is larger than one of a million, and more.
MEGABYTES = 1.06

#: A text as nobody's setting is; it must not be seen again.
ODD = "kit0odd5d41402abc4b2a76"


class SettingRules(Rules):
    """What cannot be done is refused before anything is sent, and settings are held."""

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
            for place in places:
                for wrong, picture in beyond[place].items():
                    how = f"of a {place} that is beyond the vendor's limit ({wrong})"
                    sent = {"images": tuple((usual | {place: picture}).values())}
                    _judge_refusal(bench, operation, fm.InvalidImage, how, verifier=strict, **sent)
            if simulator.looks_at_pictures:
                _compare_limits(bench, operation)
        if not any(beyond.values()):
            does_not_apply(f"{bench.backend.name} declares no limit that a picture of ours breaks.")

    @rule("R51")
    def test_r25_options_are_refused_or_arrive(self, bench: Bench) -> None:
        """An option that the backend cannot pass on is refused, and one that it declares arrives.

        Whoever asks a vendor to keep nothing, or to try four rotations, relies on it. An option
        that is accepted and forgotten is worse than one that is refused.
        """
        can, simulator = bench.can, bench.simulator
        # What is asked for, and whether it is declared; None where it may be left out.
        wishes: list[tuple[str, Any, bool | None]] = [
            *(("retention", kept, kept in can.retention) for kept in fm.Retention),
            *(("rotate", True, can.rotate), ("rotate", False, can.rotate or None)),
            ("caller_ref", CALLER_REF, can.sends_caller_ref or None),
            ("metadata", METADATA, can.sends_metadata or None),
            ("options", object(), False),
        ]
        named = {name for name, *_ in wishes} | _fields(can.options)
        for name, operations in can.option_operations.items():
            right = name in named and operations & can.operations
            assert right, f"`option_operations` has {name} for {[*operations]}: for no call of it"
        turned = Situation.TURNED in simulator.situations
        for operation in bench.operations:
            for option, value, declared in wishes:
                if declared is False:
                    how = f"with {option}={value}, which is not declared"
                    _judge_refusal(bench, operation, fm.Unsupported, how, **{option: value})
                elif declared and can.takes(option, operation):
                    # As far as there is a choice, or it cannot be seen by the result.
                    heard = _hear(bench, operation, option, value)
                    silent = option == "rotate" and turned
                    silent |= option == "retention" and len(can.retention) == 1
                    assert heard == value or (heard is UNTOLD and silent), (
                        f"{operation} with {option}={value!r}: it is declared, and the vendor "
                        f"heard {heard!r} (`received` of the simulator)"
                    )
            turns = turned and can.rotate and can.takes("rotate", operation)
            for rotate in (False, True) if turns else ():
                decision = bench.ask(operation, Situation.TURNED, rotate=rotate).answer.decision
                how = f"{operation} of a picture on its side, with rotate={rotate}"
                assert (decision is PASS[operation]) is rotate, f"{how}: {decision}"
        if can.options is not None:
            _judge_own_options(bench, can.options)

    @rule()
    def test_r31_settings_are_held(self, bench: Bench) -> None:
        """What is no setting, or of the wrong type, is refused without its value being shown, and
        key and faces go to the vendor's own hosts alone.

        A misspelt `threshold` that is ignored changes who comes in, and nobody notices. The value
        may be a key in the wrong place.
        """
        cls, simulator = type(bench.backend), bench.simulator
        verifiers = inspect.signature(fm.FaceVerifier).parameters
        taken = sorted(set(verifiers) & set(inspect.signature(cls).parameters))
        assert not taken, f"settings with names of FaceVerifier's arguments: {', '.join(taken)}"
        fields = declared_settings(cls)
        for unknown in (f"{name}x" for name in (*fields, "surely_not_a_setting")):
            refusal = _refusal(bench, **{unknown: ODD})
            assert refusal, f"it can be opened with {unknown}, which is no setting"
        for name, (kind, _) in fields.items():
            for value in _wrong_kinds(kind):
                refusal, what = _refusal(bench, **{name: value}), type(value).__name__
                assert refusal, f"it can be opened with a {what} as {name}"
            if Secret in choices_of(kind):
                _refusal(bench, **{name: Secret(ODD)})  # it may be refused, but not shown
        if "base_url" in fields:
            # The simulator gives another address: nobody else would see that its own is refused.
            _, usual = fields["base_url"]
            refusal = "" if usual is attrs.NOTHING else _refusal(bench, base_url=usual)
            assert not refusal, f"it cannot be opened at its own address: {refusal}"
            _judge_gaps(bench, usual)
            # Whoever runs the kit may have allowed them, which is what these settings are for.
            strict = dict.fromkeys({"allow_base_url", "allow_insecure"} & fields.keys(), False)
            addresses = ["https://stranger.example"]
            for host in (pattern.replace("*", "kit") for pattern in sorted(cls.allowed_hosts)):
                addresses += [f"https://{host}.kit.invalid", f"https://{host}@kit.invalid"]
                addresses.append(f"http://{host}")  # its own, in the open
            for address in addresses:
                refusal = _refusal(bench, **strict, base_url=address)
                assert refusal, f"it can be opened with the base_url {address}"
        # Of an `HttpBackend` the core holds the hosts.
        sends_itself = simulator.takes_replies and not isinstance(bench.backend, HttpBackend)
        for operation, situation in bench.cases(GOOD.values() if sends_itself else ()):
            deadline = Deadline.after(DEADLINE_S, bench.clock)
            call = bench.call(operation, situation, deadline=deadline)
            with socket.create_server(("127.0.0.1", 0)) as elsewhere:
                elsewhere.settimeout(0)
                headers = {"Location": f"http://127.0.0.1:{elsewhere.getsockname()[1]}/elsewhere"}
                for status in (201, 202, 301, 302, 303, 307, 308):
                    simulator.set_reply(SimulatorReply(status=status, body={}, headers=headers))
                    bench.make_call(call)
                    with suppress(BlockingIOError):
                        elsewhere.accept()[0].close()
                        where = f"{operation}, answered {status} with another address"
                        raise AssertionError(f"{where}: its library follows with key and faces")

    @rule("R51")
    def test_r47_diagnose_costs_nothing(self, bench: Bench) -> None:
        """`diagnose` says what is set, sends nothing that costs, and shows no secret.

        It is what somebody runs first when nothing works, and pastes into a question to strangers.
        """
        operation, backend = bench.operations[0], bench.open_backend()
        bench.prepare(GOOD[operation])
        _judge_diagnosis(bench, backend)
        verifier = fm.FaceVerifier(backend, clock=bench.clock)
        error = bench.ask(operation, GOOD[operation], verifier=verifier).error
        assert error is None, f"{operation} after diagnose: {error!r}"
        _judge_diagnosis(bench, backend)
        if Situation.UNREACHABLE in bench.simulator.situations:
            bench.prepare(Situation.UNREACHABLE)
            _judge_diagnosis(bench, bench.open_backend())


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
        # Of a side that is too short a vendor may say that it sees nothing; in few bytes is little.
        result = outcome.result
        return result is not None and (what == "few bytes" or result.decision is usual.decision)

    usual = ask_vendor(noise(0, (max(320, limits.min_side_px),) * 2)).answer
    for what, picture in pictures_within(limits).items():
        outcome = ask_vendor(picture)
        where = f"{operation} of a picture of {picture.size_bytes} bytes ({what})"
        assert is_taken(what, outcome), f"{where}: declared as taken, it gave {outcome.summary}"
    # Nobody says how many bytes a megabyte is. What somebody has set is no limit of the vendor's.
    most = None if limits.max_bytes_from else limits.max_bytes
    wider = attrs.evolve(limits, max_bytes=most and int(most * MEGABYTES))
    for what, picture in pictures_beyond(wider).items():
        # Of what is no limit in numbers a vendor may take more than it says.
        taken = not what.startswith("format") and is_taken(what, ask_vendor(picture))
        assert not taken, f"{operation}: declared as refused ({what}), the vendor takes it"


def _hear(bench: Bench, operation: fm.Operation, option: str, value: Any) -> Any:
    outcome = bench.ask(operation, GOOD[operation], **{option: value})
    assert outcome.error is None, f"{operation} with {option}={value!r} ended in {outcome.error!r}"
    return bench.simulator.received.get(option, UNTOLD)


def _judge_own_options(bench: Bench, declared: type) -> None:
    """Assert that the vendor hears of the backend's own options, as far as can be known."""
    simulator, can = bench.simulator, bench.can
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
        assert heard == usual or any(takes) or not takes, (
            f"{operation} with {options}: the vendor heard {heard!r}, of what is declared as for "
            "another operation alone"
        )
        assert heard != usual or not all(takes), (
            f"{operation} with {options}: the vendor heard the same as of {first}; what is for "
            "another operation alone is declared in `option_operations`"
        )
        after = [
            (_hear(bench, operation, "options", o), _hear(bench, operation, "options", None))[1]
            for o in (first, options)
        ]
        assert after[0] == after[1], (
            f"{operation} without options, after {options}: the vendor heard {after[1]!r}, and "
            f"{after[0]!r} after {first}: those of the call before"
        )


def _fields(options: type | None) -> set[str]:
    return set(attrs.fields_dict(options)) if options and attrs.has(options) else set()


def _refusal(bench: Bench, **settings: Any) -> str:
    """Why it cannot be opened so, in one line without a value or a secret; empty if it can."""
    try:
        backend = bench.simulator.backend(**settings)
    except Exception as error:  # noqa: BLE001 - what is raised is what is judged
        links = [error, error.__cause__ or error.__context__]
        *_, last = (frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__))
    else:
        with suppress(Exception):  # half a backend may not close: that it was opened is reported
            backend.close()
        return ""
    text = " ".join(f"{link} {link!r}" for link in links if link is not None)
    where = f"opened with another {' and '.join(settings)}, its {type(links[0]).__name__}"
    # A validator of attrs says what it was given, to whoever opened the class itself.
    shown = ODD in text and last != "attr.validators"
    assert not shown, f"{where} shows the value of the setting"
    secrets = *bench.simulator.secrets, *(dict(bench.secrets()).values() if settings else ())
    assert not any(secret in text for secret in secrets), f"{where} shows a secret"
    assert "\n" not in str(links[0]), f"{where} is not one sentence"
    return f"{type(links[0]).__name__}: {links[0]}"


def _judge_gaps(bench: Bench, usual: Any) -> None:
    """Assert that what fills the gaps in the hosts, a region say, comes of a setting."""
    cls = type(bench.backend)
    hosts = cls.allowed_hosts
    if usual is attrs.NOTHING or usual or not hosts or not all("*" in host for host in hosts):
        return
    with closing(bench.simulator.backend(base_url="")) as backend:
        address = str(getattr(backend, "address", ""))
        values = [getattr(backend, name, None) for name in declared_settings(cls)]
    texts = [str(value) for value in values if isinstance(value, str) and value]
    is_filled = any(text.lower() in address for text in texts)
    assert is_filled, f"its own address, {address}, has nothing of what is set"


def _wrong_kinds(declared: Any) -> Iterator[Any]:
    """Values of another kind than the declared one, as far as the kit knows that one."""
    choices = choices_of(declared)
    words = any(isinstance(choice, type) and issubclass(choice, enum.Enum) for choice in choices)
    if not words and not set(choices) <= {bool, int, float, str, Path, Secret}:
        return
    yield [ODD]
    if not {str, Path, Secret} & set(choices):
        yield ODD
    if bool not in choices and {int, float} & set(choices):
        yield True


def _judge_diagnosis(bench: Bench, backend: Backend) -> None:
    before = bench.simulator.requests_seen
    with capture_log() as log, traces() as texts:
        # As `facematch doctor --json` prints it.
        shown = json.dumps(dict(backend.diagnose()), ensure_ascii=False, allow_nan=False)
    assert bench.simulator.requests_seen == before, "diagnose called the vendor"
    assert not texts, f"diagnose leaves something behind: {', '.join(texts)}"
    log_text, secrets = log.getvalue(), secrets_of(bench)
    # The forms only: a report shows what it compares.
    forms = {form for _, secret in secrets for form in find_leaks(secret, shown, log_text)}
    assert not forms, f"diagnose returns or logs a secret ({', '.join(sorted(forms))})"
