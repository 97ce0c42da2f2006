"""R24-R27, R31, R46, R47: what cannot be done is refused, and settings are held."""

from __future__ import annotations

import enum
import inspect
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from traceback import walk_tb
from typing import Any

import attrs
import pytest

from facematch_core import (
    ConfigurationError,
    FaceMatchError,
    FaceVerifier,
    InvalidImage,
    InvalidRequest,
    Operation,
    Retention,
    Unsupported,
)
from facematch_core.backend import Backend, Secret
from facematch_core.http import HttpBackend, check_base_url
from facematch_core.kinds import choices_of
from facematch_core.plugins import check_settings
from facematch_core.settings import declared_settings, resolve_settings
from facematch_core.testing.bench import MIDDLE, PASS, Bench, does_not_apply, not_tested
from facematch_core.testing.leaks import captured_log, find_leaks
from facematch_core.testing.simulator import GOOD, Situation

from ._frame import Rules, pure
from .privacy import secrets_of, traces

#: What a caller may want to find again: as long as two ids, and with more than one kind of value.
CALLER_REF = "order 7/3f2b8c1e-9d47-4a6b-8e15-0c7d2a9b4f63/desk 3"
METADATA = {"desk": 3, "open": True, "cases": ["7", {"of": 2.5}], "floor": None}

#: A text as nobody's setting is; it must not be seen again.
ODD = "kit0odd5d41402abc4b2a76"

#: Settings by which a caller takes addresses that are refused otherwise.
ALLOWING = ("allow_base_url", "allow_insecure")

#: The types whose wrong kinds are known.
_KNOWN: tuple[Any, ...] = (bool, int, float, str, Path, Secret)


class SettingRules(Rules):
    """What cannot be done is refused before anything is sent, and settings are held."""

    def test_r24_pictures_beyond_the_limits(self, bench: Bench) -> None:
        """A picture that the vendor would refuse is refused here, unless it may be made to fit.

        An upload that can only fail costs time at the door, and with some vendors money.
        """
        strict = bench.open_verifier(fit_images=False)
        beyond = bench.simulator.refused_pictures(bench.can.image_limits)
        if not beyond:
            does_not_apply(f"{bench.backend.name} declares no limit that a picture of ours breaks.")
        for operation in bench.operations:
            probe, reference = bench.simulator.pictures_for(GOOD[operation])
            for picture in beyond.values():
                pairs = [(picture, reference)]
                if operation is Operation.MATCH:
                    pairs.append((probe, picture))
                for pair in pairs:
                    _refused(bench, operation, InvalidImage, verifier=strict, images=pair)

    def test_r25_undeclared_options_are_refused(self, bench: Bench) -> None:
        """An option that the backend cannot pass on is refused, never dropped.

        Whoever asks a vendor to keep nothing, or to try four rotations, relies on it.
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
        """An option that the backend declares is accepted, and reaches the vendor.

        An option that is accepted and forgotten is worse than one that is refused.
        """
        asked: list[tuple[str, Any]] = [("retention", kept) for kept in bench.can.retention]
        if bench.can.sends_caller_ref:
            asked.append(("caller_ref", CALLER_REF))
        if bench.can.sends_metadata:
            asked.append(("metadata", METADATA))
        for operation in bench.operations:
            for option, value in asked:
                assert bench.ask(operation, GOOD[operation], **{option: value}).error is None
                received = bench.simulator.received
                # Nothing needs to be sent where there is no choice.
                if option == "retention" and len(bench.can.retention) == 1:
                    continue
                assert option in received, (
                    f"{option} is declared, but not in `received` of the simulator"
                )
                assert received[option] == value, f"{option} was accepted, but did not arrive"
            if bench.can.rotate:
                self._rotates(bench, operation)
        if bench.can.options is not None:
            _own_options_arrive(bench, bench.can.options)

    def _rotates(self, bench: Bench, operation: Operation) -> None:
        turned = Situation.TURNED in bench.simulator.situations
        if turned:
            passes = PASS[operation]
            assert bench.ask(operation, Situation.TURNED).answer.decision is not passes
            result = bench.ask(operation, Situation.TURNED, rotate=True).answer
            assert result.decision is passes, "rotate was accepted, but nothing was turned"
        for rotate in (True, False):
            assert bench.ask(operation, GOOD[operation], rotate=rotate).error is None
            told = bench.simulator.received.get("rotate")
            assert told is rotate or (told is None and turned), (
                "rotate is declared: put it into `received` of the simulator, or produce TURNED"
            )

    def test_r27_nonsense_is_refused(self, bench: Bench) -> None:
        """A threshold that is not a number from 0 to 100 never reaches the vendor; 0 and 100 do.

        NaN is below everything and above nothing: with one comparison written the other way round,
        everybody passes.
        """
        for operation in bench.operations:
            for value in (math.nan, math.inf, -0.01, 100.01, True, "50"):
                _refused(bench, operation, InvalidRequest, threshold=value)
            for value in (0, math.nan, -1):
                _refused(bench, operation, InvalidRequest, deadline_s=value)
            for value in (0, MIDDLE, 100):
                outcome = bench.ask(operation, GOOD[operation], threshold=value)
                assert outcome.requests == bench.steps(operation)
                if bench.scale(operation) and "threshold" in bench.simulator.received:
                    assert bench.simulator.received["threshold"] == pytest.approx(value)

    @pure
    def test_r31_settings_have_names_of_their_own(self, bench: Bench) -> None:
        """No setting has the name of a `FaceVerifier` argument.

        `open_verifier` takes both as keywords: a `threshold` of the backend would never be set.
        """
        taken = set(inspect.signature(FaceVerifier).parameters)
        names = set(inspect.signature(type(bench.backend)).parameters)
        assert not names & taken, f"settings named as arguments of FaceVerifier: {names & taken}"

    @pure
    def test_r46_settings_are_held(self, bench: Bench) -> None:
        """An unknown setting, or one of the wrong type, is refused in one sentence that does not
        show its value.

        A misspelt `threshold` that is ignored changes who comes in, and nobody notices. The value
        may be a key in the wrong place; a foreign address would receive it.
        """
        backend, cls = bench.backend, type(bench.backend)
        fields = declared_settings(cls)
        check_settings(cls)
        for near in (*fields, "surely_not_a_setting"):
            unknown = f"{near}x"
            _refused_by_the_core(bench, unknown, ODD, hint=near if fields else "")
            error = _refusal(bench, {unknown: ODD})
            assert error is not None, f"{unknown} is not a setting, but was accepted"
            _says_nothing(error, bench, ODD)
        for name, (wanted, _) in fields.items():
            for value in _wrong_kinds(wanted):
                _refused_by_the_core(bench, name, value)
                error = _refusal(bench, {name: value})
                assert error is not None, f"{name} takes {type(value).__name__} from its class"
                # A validator of attrs says what it was given, to whoever opened the class itself.
                _says_nothing(error, bench, *(() if _by_attrs(error) else (ODD,)))
            if Secret in choices_of(wanted):
                error = _refusal(bench, {name: Secret(ODD)})
                if error is not None:
                    _says_nothing(error, bench, ODD)
        # The simulator gives another address: nobody else would see that its own cannot be used.
        usual = fields.get("base_url", (str, attrs.NOTHING))[1]
        error = None if usual is attrs.NOTHING else _refusal(bench, {"base_url": usual})
        assert error is None, f"it cannot be opened at its own address: {type(error).__name__}"
        # Whoever runs the kit may have allowed them, which is what these settings are for.
        strict = {name: False for name in ALLOWING if name in fields}
        for address in _foreign(backend, fields):
            error = _refusal(bench, {**strict, "base_url": address})
            assert error is not None, f"base_url takes {address}"
            assert isinstance(error, ConfigurationError), f"{address}: {error!r}"
            _says_nothing(error, bench)

    def test_r47_diagnose_costs_nothing(self, bench: Bench) -> None:
        """`diagnose` says what is set, sends nothing that costs, and shows no secret.

        It is what somebody runs first when nothing works, and pastes into a question to strangers.
        """
        operation = bench.operations[0]
        situation = GOOD[operation]
        bench.prepare(situation)
        with closing(bench.simulator.backend()) as backend:
            _diagnosed(bench, backend)
            assert bench.ask(operation, situation, verifier=FaceVerifier(backend)).error is None
            _diagnosed(bench, backend)
        # A backend may say that it is closed.
        with suppress(ConfigurationError):
            _diagnosed(bench, backend)
        if Situation.UNREACHABLE in bench.simulator.situations:
            bench.prepare(Situation.UNREACHABLE)
            _diagnosed(bench, bench.open_backend())


def _refused(
    bench: Bench, operation: Operation, error: type[FaceMatchError], **options: Any
) -> FaceMatchError:
    """Assert that a call ends in `error`, and that the vendor has not heard of it."""
    declared = operation if operation in bench.operations else bench.operations[0]
    outcome = bench.ask(operation, GOOD[declared], **options)
    # Of pictures only their sizes: a failing assertion prints what it compares.
    told = {name: value for name, value in options.items() if name not in ("verifier", "images")}
    where = f"{told}, pictures of {[image.size_bytes for image in options.get('images', ())]} bytes"
    assert isinstance(outcome.error, error), f"{where}: {outcome.told}"
    assert outcome.requests == 0, f"{where}: refused, but sent"
    assert outcome.charges == 0
    return outcome.error


def _own_options_arrive(bench: Bench, declared: type) -> None:
    """Assert that the vendor hears of the backend's own options, as far as can be known."""
    simulator, untold = bench.simulator, object()
    first, *others = simulator.options(declared), *simulator.other_options(declared)

    def heard(options: Any) -> list[Any]:
        told = []
        for operation in bench.operations:
            assert bench.ask(operation, GOOD[operation], options=options).error is None
            told.append(simulator.received.get("options", untold))
        return told

    usual, *unusual = heard(first), *map(heard, others)
    if not others or all(told is untold for every in (usual, *unusual) for told in every):
        not_tested(
            f"Whether the vendor hears of {declared.__name__}: {type(simulator).__name__} gives no "
            "`other_options`, or has no `options` in `received`."
        )
    # A choice may be one of some operations only, but not of none.
    for options, told in zip(others, unusual, strict=True):
        assert told != usual, f"{options} was accepted, but arrived as {first} did"


def _refused_by_the_core(bench: Bench, name: str, value: Any, hint: str = "") -> None:
    """Assert that a setting is refused as an argument and in a file, before it is opened."""
    cls = type(bench.backend)
    aliases = {f.alias or f.name: f.name for f in attrs.fields(cls)} if attrs.has(cls) else {}
    needed = {
        other: getattr(bench.backend, aliases[other])
        for other, (_, default) in declared_settings(cls).items()
        if default is attrs.NOTHING and other != name
    }
    for given, in_file in (({**needed, name: value}, {}), (needed, {name: value})):
        error: Exception | None = None
        try:
            resolve_settings(
                cls,
                given=given,
                in_file=in_file,
                where="facematch.toml [profiles.kit]",
                folder=Path(),
                environ={},
            )
        except ConfigurationError as raised:
            error = raised
        assert error is not None, f"{name} takes {type(value).__name__}"
        _says_nothing(error, bench, ODD)
        assert name in str(error), f"which setting is wrong? {error}"
        assert hint in str(error), f"{hint} is near, and not named: {error}"


def _refusal(bench: Bench, settings: Mapping[str, Any]) -> Exception | None:
    """What opening the backend with `settings` raises; None if it opens."""
    try:
        backend = bench.simulator.backend(**settings)
    except Exception as error:  # noqa: BLE001 - what is raised is what is judged
        return error
    with suppress(Exception):  # half a backend may not close: that it was opened is reported
        backend.close()
    return None


def _says_nothing(error: Exception, bench: Bench, *values: str) -> None:
    """Assert that an error is one line, without these values and without any secret."""
    told = [error, error.__cause__, error.__context__]
    text = " ".join(f"{link} {link!r}" for link in told if link is not None)
    assert not any(value in text for value in values), (
        f"{type(error).__name__} shows the value of a setting"
    )
    secrets = (*bench.simulator.secrets, *(secret for _, secret in bench.secrets()))
    assert not any(secret in text for secret in secrets), f"{type(error).__name__} shows a secret"
    assert "\n" not in str(error), f"{type(error).__name__} is not one sentence"


def _by_attrs(error: Exception) -> bool:
    """Whether one of attrs' own validators raised it."""
    frames = [frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__)]
    return frames[-1:] == ["attr.validators"]


def _wrong_kinds(wanted: Any) -> Iterator[Any]:
    """Values of another kind than the declared one, as far as that is one that is known."""
    choices = choices_of(wanted)
    words = any(isinstance(choice, type) and issubclass(choice, enum.Enum) for choice in choices)
    if not words and not all(choice in _KNOWN for choice in choices):
        return
    yield [ODD]
    if not {str, Path, Secret} & set(choices):
        yield ODD
    if bool not in choices and {int, float} & set(choices):
        yield True


def _foreign(backend: Backend, fields: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    """Addresses that `base_url` may not name without being allowed to."""
    wanted, default = fields.get("base_url", (None, None))
    if str not in choices_of(wanted):
        return
    if isinstance(default, str) and default and isinstance(backend, HttpBackend):
        # It raises where `allowed_hosts` does not name the address that is the default.
        check_base_url(default, allowed_hosts=backend.allowed_hosts)
    for pattern in sorted(backend.allowed_hosts):
        host = pattern.replace("*", "kit")
        # The last is the vendor's own, to which key and faces would travel for all to read.
        yield f"https://{host}.kit.invalid"
        yield f"https://{host}@kit.invalid"
        yield f"http://{host}"


def _diagnosed(bench: Bench, backend: Backend) -> None:
    """Ask the backend of itself, and see that nobody else was asked or notified."""
    before = bench.simulator.requests_seen, bench.simulator.charges
    with captured_log() as log, traces() as left:
        told: dict[Any, Any] = dict(backend.diagnose())
    after = bench.simulator.requests_seen, bench.simulator.charges
    assert after == before, "diagnose called the vendor"
    assert not left, f"diagnose leaves something behind: {', '.join(left)}"
    assert all(isinstance(name, str) and name.strip() for name in told), "a line without a name"
    # As `facematch doctor --json` prints it.
    text = json.dumps(told, ensure_ascii=False, allow_nan=False)
    # The forms only: a failing assertion prints what it compares.
    forms = {f for _, secret in secrets_of(bench) for f in find_leaks(secret, text, log.getvalue())}
    assert not forms, "a secret in what diagnose returns or logs"
