"""R31, R46: settings are named and held."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from urllib3.util import parse_url

from facematch_core import ConfigurationError, FaceVerifier
from facematch_core.backend import Backend, Secret
from facematch_core.http import HttpBackend, is_loopback
from facematch_core.plugins import check_settings
from facematch_core.settings import choices_of, declared_settings, resolve_settings

from ._bench import Bench
from ._rules import Rules, pure

#: A text as nobody's setting is; it must not be seen again.
ODD = "kit0odd5d41402abc4b2a76"

#: The types whose wrong kinds are known.
_KNOWN: tuple[Any, ...] = (bool, int, float, str, Path, Secret)


class SettingRules(Rules):
    """Settings are held."""

    @pure
    def test_r31_settings_have_names_of_their_own(self, bench: Bench) -> None:
        """No setting bears the name of an argument of `FaceVerifier`.

        `open_verifier` takes both as keywords: a `threshold` of the backend would never be set.
        """
        taken = set(inspect.signature(FaceVerifier).parameters)
        names = set(inspect.signature(type(bench.backend)).parameters)
        assert not names & taken, f"settings named as arguments of FaceVerifier: {names & taken}"

    @pure
    def test_r46_settings_are_held(self, bench: Bench) -> None:
        """A setting that does not exist or is of the wrong kind is refused in one sentence without
        its value.

        A misspelt `threshold` that is passed over changes who comes in, and nobody sees it. The
        value may be a key that stands in the wrong place; a foreign address would receive it.
        """
        backend, cls = bench.backend, type(bench.backend)
        needed = _needed(backend)
        fields = declared_settings(cls)
        check_settings(cls)
        for near in (*fields, "surely_not_a_setting"):
            unknown = f"{near}x"
            self._refused(bench, unknown, {unknown: ODD}, needed, hint=near if fields else "")
            error = _refusal(bench, {unknown: ODD})
            assert error is not None, f"{unknown} is no setting, and was taken"
            _says_nothing(error, bench)
        for name, (wanted, _) in fields.items():
            for value in _wrong_kinds(wanted):
                self._refused(bench, name, {name: value}, needed)
                # Opened by its class, it is the backend's own business.
                error = _refusal(bench, {name: value})
                assert error is not None, f"{name} takes {type(value).__name__} from its class"
                _says_nothing(error, bench)
            if Secret in choices_of(wanted):
                _says_nothing(_refusal(bench, {name: Secret(ODD)}), bench)
        # Whoever runs the kit may have allowed them, which is what these settings are for.
        strict = {name: False for name in ALLOWING if name in fields}
        for address in _foreign(cls, fields):
            error = _refusal(bench, {**strict, "base_url": address})
            assert error is not None, f"base_url takes {address}"
            assert isinstance(error, ConfigurationError), f"{address}: {error!r}"
            _says_nothing(error, bench)

    def _refused(
        self,
        bench: Bench,
        name: str,
        settings: Mapping[str, Any],
        needed: Mapping[str, Any],
        hint: str = "",
    ) -> None:
        """Assert that a setting is refused as an argument and in a file, before it is opened."""
        known = {key: value for key, value in needed.items() if key != name}
        for given, in_file in (({**known, **settings}, {}), (known, dict(settings))):
            error: Exception | None = None
            try:
                resolve_settings(
                    type(bench.backend),
                    given=given,
                    in_file=in_file,
                    where="facematch.toml [profiles.kit]",
                    folder=Path(),
                    environ={},
                )
            except ConfigurationError as raised:
                error = raised
            assert error is not None, f"{name} takes {type(settings[name]).__name__}"
            _says_nothing(error, bench)
            assert name in str(error), f"which setting is wrong? {error}"
            assert hint in str(error), f"{hint} is near, and not named: {error}"


#: Settings by which a caller takes addresses that are refused otherwise.
ALLOWING = ("allow_base_url", "allow_insecure")


def _needed(backend: Backend) -> dict[str, Any]:
    """What the backend cannot be opened without, as it was opened."""
    cls = type(backend)
    names = {f.alias or f.name: f.name for f in attrs.fields(cls)} if attrs.has(cls) else {}
    return {
        name: getattr(backend, names[name])
        for name, (_, default) in declared_settings(cls).items()
        if default is attrs.NOTHING
    }


def _refusal(bench: Bench, settings: Mapping[str, Any]) -> Exception | None:
    """What opening the backend with `settings` raises; None if it opens."""
    try:
        backend = bench.double.backend(**settings)
    except Exception as error:  # noqa: BLE001 - what is raised is what is judged
        return error
    backend.close()
    return None


def _says_nothing(error: Exception | None, bench: Bench) -> None:
    """Assert that an error is one line, without the value and without any secret."""
    if error is None:
        return
    told = [error, error.__cause__, error.__context__]
    text = " ".join(f"{link} {link!r}" for link in told if link is not None)
    assert ODD not in text, f"{type(error).__name__} shows the value of a setting"
    secrets = (*bench.double.secrets, *(secret for _, secret in bench.secrets()))
    assert not any(secret in text for secret in secrets), f"{type(error).__name__} shows a secret"
    assert "\n" not in str(error), f"{type(error).__name__} is no sentence"


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


def _foreign(cls: type[Backend], fields: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    """Addresses that `base_url` may not name without being allowed to."""
    wanted, default = fields.get("base_url", (None, None))
    if str not in choices_of(wanted):
        return
    if isinstance(default, str) and issubclass(cls, HttpBackend):
        host = str(parse_url(default).host)
        declared = is_loopback(host) or host in cls.allowed_hosts
        assert declared, f"base_url is {host} by default, and allowed_hosts does not name it"
    for host in sorted(cls.allowed_hosts):
        # The last is the vendor's own, to which key and faces would travel for all to read.
        yield f"https://{host}.kit.invalid"
        yield f"https://{host}@kit.invalid"
        yield f"http://{host}"
