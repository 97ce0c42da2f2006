"""Settings of a backend, strictly typed, and for each where it came from.

Settings are the arguments of the backend's attrs class. They come from a program, from a TOML file,
from an environment variable or from a command line, and cattrs reads all four. No message holds a
value: it may be a key that is in the wrong place.
"""

from __future__ import annotations

import functools
import os
import re
import typing
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs

from .backend import Backend
from .errors import ConfigurationError
from .kinds import (
    choices_of,
    described,
    is_union,
    kind_words,
    kinds_of,
    nearest,
    strict_converter,
    type_hints,
)
from .masking import Secret
from .plugins import verifier_arguments

if TYPE_CHECKING:
    from cattrs import Converter

#: An amount that `Budget` takes.
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?|1000000000000")

#: A flag as text.
BOOLEANS: Final = {"true": True, "false": False}


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a backend, resolved.

    Attributes:
        name: The argument.
        value: Its value; a `Secret` never shows itself.
        origin: Where it came from, for people: ``default``, ``argument``, ``$NAME`` or a file.
    """

    name: str
    value: Any
    origin: str


def resolve_settings(
    cls: type[Backend],
    *,
    given: Mapping[str, Any],
    in_file: Mapping[str, Any],
    where: str,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Setting, ...]:
    """The settings of a backend: arguments first, then the file, then the environment.

    Args:
        cls: The backend's class.
        given: From the caller, of the declared types already.
        in_file: From a configuration file, as TOML types.
        where: File and profile, for messages; empty without a file.
        folder: What relative paths in the file are relative to.
        environ: The environment.

    Raises:
        ConfigurationError: an unknown setting, a wrong type, or a needed one that is missing.
    """
    declared = declared_settings(cls)
    _check_names(cls, given, "argument", {*declared, *verifier_arguments()})
    _check_names(cls, in_file, where, declared)
    of_file = _file_converter(folder)
    place = f"{where}: " if where else ""

    def resolved(name: str, wanted: Any, default: Any) -> Setting:
        variable = cls.environment_variables.get(name)
        if name in given:
            value, origin = _argument(given[name], wanted, f"argument: {name}"), "argument"
        elif name in in_file:
            value, origin = _structured(in_file[name], wanted, f"{place}{name}", of_file), where
        elif variable and environ.get(variable):
            value, origin = from_text(environ[variable], wanted, f"${variable}"), f"${variable}"
        elif default is not attrs.NOTHING:
            return Setting(name=name, value=default, origin="default")
        else:
            hint = f"set the environment variable {variable}" if variable else f"set {name}"
            raise ConfigurationError(f"{place}The backend {cls.name} needs {name}: {hint}.")
        origin = value.origin if isinstance(value, Secret) else origin
        return Setting(name=name, value=value, origin=origin)

    return tuple(resolved(name, *kind) for name, kind in declared.items())


def settings_from_text(cls: type[Backend], words: Mapping[str, str], option: str) -> dict[str, Any]:
    """The settings of a backend from a command line, where everything is text.

    Args:
        cls: The backend's class.
        words: Name to text.
        option: The option that they were given with, for messages.

    Raises:
        ConfigurationError: an unknown setting, or a text that is none of its kind.
    """
    declared = declared_settings(cls)
    _check_names(cls, words, option, declared)
    return {
        name: from_text(text, declared[name][0], f"{option} {name}") for name, text in words.items()
    }


def declared_settings(cls: type[Backend]) -> dict[str, tuple[Any, Any]]:
    """The settings of a backend, by name: the declared type, and the default or `attrs.NOTHING`."""
    if not attrs.has(cls):
        return {}
    hints = type_hints(cls)
    return {
        field.alias or field.name: (hints.get(field.name, Any), _default(field))
        for field in attrs.fields(cls)
        if field.init
    }


def located(place: str, key: str, folder: Path) -> Path:
    """A path of a configuration file, relative to its folder; ``~`` is a home.

    Raises:
        ConfigurationError: it names the home of somebody who is not known.
    """
    try:
        return folder / Path(place).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{key} names the home of an unknown user.") from None


@attrs.frozen
class Rule:
    """What a value of a table must be beyond its type: ``Annotated[int, Rule(...)]``.

    Attributes:
        words: For messages.
        fits: Whether a value of that type does.
    """

    words: str
    fits: Callable[[Any], object] = lambda _: True


def read_table(table: Any, kinds: Mapping[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """A table of a TOML file, each key as its kind wants it.

    Args:
        table: As TOML types.
        kinds: The keys, and the type of each; with a `Rule`, maybe.
        where: File and table, for messages.
        folder: What relative paths are relative to.

    Raises:
        ConfigurationError: it is no table, has an unknown key, or a value does not fit.
    """
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {described(table)}.")
    check_keys(table, kinds, where)
    converter = _file_converter(folder)
    return {
        key: _structured(value, kinds[key], f"{where}: {key}", converter)
        for key, value in table.items()
    }


def check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse a key that is not known; the message has the nearest one that is."""
    for key in table:
        if key not in known:
            raise ConfigurationError(f"{where}: unknown key {key[:60]!r}; {nearest(key, known)}")


def _check_names(
    cls: type[Backend], names: Mapping[str, Any], where: str, known: Collection[str]
) -> None:
    declared = declared_settings(cls)
    for name in names:
        if name not in declared:
            raise ConfigurationError(
                f"{where}: the backend {cls.name} has no setting {name[:60]!r}; "
                f"{nearest(name, known)}"
            )


def _default(field: attrs.Attribute[Any]) -> Any:
    # attrs types Factory as a function, so that isinstance does not narrow.
    default: Any = field.default
    if hasattr(default, "factory"):
        return None if default.takes_self else default.factory()
    return default


def _structured(value: Any, wanted: Any, key: str, converter: Converter) -> Any:
    """A value as its key wants it; `ConfigurationError` names the key, and no value."""
    rule = None
    if typing.get_origin(wanted) is Annotated:
        wanted, rule = typing.get_args(wanted)
    fits = None
    try:
        read = converter.structure(value, wanted)
        fits = rule is None or bool(rule.fits(read))
    except ConfigurationError as error:
        reason = f"{key}: {error.message}"
    except Exception:  # noqa: BLE001 - cattrs raises whatever a hook or a table raises
        reason = f"{key} must be {_words(wanted, rule)}, not {described(value)}."
    # Outside the except block: the exception may hold a key.
    if fits:
        return read
    raise ConfigurationError(reason if fits is None else f"{key} must be {_words(wanted, rule)}.")


def _argument(value: Any, wanted: Any, key: str) -> Any:
    """A setting that a program gives: of its type, or a text where that can only mean one thing."""
    kinds = kinds_of(wanted)
    if kinds is None:
        return value
    classes, _ = kinds
    if isinstance(value, classes) and (not isinstance(value, bool) or bool in classes):
        return value
    return _structured(value, wanted, key, _argument_converter())


def from_text(text: str, wanted: Any, key: str) -> Any:
    return _structured(text, wanted, key, _converter(_of_text(key)))


def _words(wanted: Any, rule: Rule | None = None) -> str:
    return kind_words(wanted) if rule is None else rule.words


_Hooks = Mapping[Any, Callable[[Any, Any], Any]]


def _converter(hooks: _Hooks) -> Converter:
    """Strict types, of which some are read as their source writes them."""
    converter = strict_converter()

    def any_of(value: Any, wanted: Any) -> Any:
        if value is None and type(None) in typing.get_args(wanted):
            return None
        for choice in choices_of(wanted):
            try:
                return converter.structure(value, choice)
            except ConfigurationError:
                raise
            except Exception:  # noqa: BLE001, S112 - the next choice may fit
                continue
        raise TypeError("none of the choices")

    converter.register_structure_hook_func(is_union, any_of)
    for kind, hook in {Decimal: _money, **hooks}.items():
        converter.register_structure_hook(kind, hook)
    return converter


@functools.cache
def _argument_converter() -> Converter:
    return _converter(_OF_ARGUMENT)


@functools.lru_cache(maxsize=8)
def _file_converter(folder: Path) -> Converter:
    return _converter(_of_file(folder))


def _money(value: Any, _: Any) -> Decimal:
    # A fraction in binary would be another amount.
    if type(value) not in (int, str) or not _AMOUNT.fullmatch(str(value)):
        raise ValueError("amount")
    return Decimal(value)


def _of_file(folder: Path) -> _Hooks:
    def path(value: Any, _: Any) -> Path:
        if not isinstance(value, str) or "\0" in value:
            raise TypeError("path")
        return located(value, "it", folder)

    def secret(value: Any, _: Any) -> Secret:
        if isinstance(value, str):
            raise ConfigurationError(
                "it is a secret and does not belong in the file: write "
                '{ env = "NAME" } or { file = "path" }.'
            )
        ((kind, place),) = value.items()
        if not isinstance(place, str) or "\0" in place:
            raise TypeError("place")
        if kind == "env":
            return Secret.from_environment(place)
        if kind == "file":
            return Secret.from_file(located(place, "it", folder))
        raise KeyError(kind)

    return {Path: path, Secret: secret}


def _of_text(origin: str) -> _Hooks:
    def number(text: str, kind: Callable[[str], float]) -> float:
        value = kind(text)
        if not abs(value) < 1e300:
            raise ValueError("number")
        return value

    return {
        **_of_file(Path.cwd()),
        bool: lambda text, _: BOOLEANS[text.lower()],
        int: number,
        float: number,
        Secret: lambda text, _: Secret(text, origin=origin),
    }


_OF_ARGUMENT: Final[_Hooks] = {
    Path: lambda value, _: Path(_as_text(value)),
    Secret: lambda value, _: Secret(_as_text(value)),
}


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value
