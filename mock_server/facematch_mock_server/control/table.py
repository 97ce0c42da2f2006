"""The operations of the control API: how methods marked with `endpoint` are called over HTTP.

Annotations determine how values are read from JSON or a query. Results are written as JSON.
"""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, Union

import attrs

from facematch_mock_server.base.masking import SECRET, mask_fields
from facematch_mock_server.base.state import UNSET, Selection, Unset, check_text
from facematch_mock_server.world.vendor import ControlEndpoint, Vendor

#: The types of values in words, for errors.
_TYPE_NAMES: Mapping[Any, str] = {
    str: "a string",
    float: "a number",
    int: "a whole number from 0",
    bool: "true or false",
    dt.date: "a date, YYYY-MM-DD",
    list: "a list",
    dict: "an object, or NAME=VALUE",
}


class QueryText(str):
    """A value from a query, in which numbers and objects are strings."""

    __slots__ = ()


@functools.cache
def types_in(hint: Any) -> frozenset[Any]:
    """Return the types in an annotation. A `Literal` is treated as `str`."""
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return frozenset().union(*map(types_in, typing.get_args(hint)))
    if origin is Literal:
        return frozenset({str})
    if origin is not None:
        return frozenset({dict if issubclass(origin, Mapping) else list})
    return frozenset({str if issubclass(hint, str) else hint})


def read_values(
    parameters: Mapping[str, Any], required: frozenset[str], sent: Mapping[str, Any]
) -> dict[str, Any]:
    """Convert the sent values to their annotated types. Raises ValueError for invalid values."""
    for name in sorted(sent):
        if name not in parameters:
            names = ", ".join(parameters) or "nothing"
            # Show only plain words: any other text may be a key that was sent as a name by mistake.
            shown_value = (
                repr(name) if re.fullmatch("[A-Za-z_]{1,40}", name) else "a name that was sent"
            )
            raise ValueError(f"unknown name {shown_value}; allowed are {names}")
    for name in parameters:
        if name in required and name not in sent:
            raise ValueError(f"{name} is missing")
    values: dict[str, Any] = {}
    for name, value in sent.items():
        allowed = types_in(parameters[name])
        if value is None and name not in required:
            # Null means omitted, unless the annotation allows None.
            if type(None) in allowed or Any in allowed:
                values[name] = None
            continue
        values[name] = _read_value(name, allowed - {type(None), Unset}, value)
        # The parts of an object are checked separately.
        if not isinstance(value, (dict, list)) or name == "field":
            check_text(name, values[name])
    return values


def _read_value(name: str, allowed: frozenset[Any], value: object) -> Any:
    """Convert a value to the allowed type. Raises ValueError for an invalid value."""
    if len(allowed) > 1 or Any in allowed:
        # If several types are allowed, the method itself checks the value.
        return value
    (annotation,) = allowed
    try:
        return _convert(annotation, value)
    except ValueError:
        problem = f"{name} must be {_TYPE_NAMES[annotation]}"
        if name == "client" or SECRET.search(name):
            raise ValueError(problem) from None
        shown_value = str(value) if isinstance(value, Decimal) else repr(value)
        raise ValueError(f"{problem}, not {shown_value:.40}") from None


def _convert(annotation: Any, value: Any) -> Any:
    """Convert a value to the wanted type. Raises ValueError if it is of another type."""
    if annotation is float and type(value) in (float, int, Decimal, str):
        # An integer stays one, because all code that takes a float also takes an integer.
        return value if type(value) is int else float(value)
    if annotation is dt.date and type(value) is str:
        return dt.date.fromisoformat(value)
    if isinstance(value, QueryText):
        return _convert_query(annotation, value)
    if type(value) is annotation:
        return value
    raise ValueError


def _convert_query(annotation: object, text: QueryText) -> Any:
    if annotation is int and text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    if annotation is dict and "=" in text:
        name, _, value = text.partition("=")
        return {name: value}
    if annotation is str:
        return str(text)
    raise ValueError


def read_record(record: type, sent: Mapping[str, Any]) -> Any:
    """Make an instance of an attrs class. Raises ValueError for unknown or invalid fields."""
    fields = attrs.fields(record)
    required = frozenset(field.name for field in fields if field.default is attrs.NOTHING)
    return record(**read_values(hints_of(record), required, sent))


def hints_of(record: type) -> dict[str, Any]:
    """Return an attrs class's annotations: float, or Any if the class itself checks the value."""
    fields = attrs.fields(record)
    return {field.name: float if field.type in (float, "float") else Any for field in fields}


def to_json_types(value: object) -> Any:
    """Convert `value` to JSON types. Times become ISO 8601 strings, amounts of money strings."""
    for types_of_value, convert in _CONVERTERS:
        if isinstance(value, types_of_value):
            return convert(value)
    return value.to_dict() if hasattr(value, "to_dict") else _show_fields(value)


_CONVERTERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, int, float, str), lambda value: value),
    (dt.datetime, lambda time: time.isoformat(timespec="microseconds")),
    (dt.date, lambda day: day.isoformat()),
    (Decimal, "{:.4f}".format),
    # Show a webhook's body exactly as sent, so that its signature matches.
    (bytes, bytes.decode),
    (Mapping, lambda mapping: {str(name): to_json_types(x) for name, x in mapping.items()}),
    ((list, tuple), lambda items: [to_json_types(item) for item in items]),
    ((set, frozenset), lambda items: sorted(to_json_types(item) for item in items)),
)


def _show_fields(record: Any) -> dict[str, Any]:
    """Return the fields of an attrs record, without secrets."""
    set_fields = {}
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        # Unset values are left out: null would mean no score.
        if "secret" in field.metadata or value is UNSET:
            continue
        if field.name == "field" and isinstance(value, Mapping):
            # The fields that a rule matches may contain a password.
            value = mask_fields(value)
        set_fields[field.name] = to_json_types(value)
    return set_fields


#: Maximum number of records in a response, unless the request has a ``limit``.
LISTED = 1000


@attrs.frozen(kw_only=True)
class ControlOperation:
    """An operation of the control API at one vendor.

    Attributes:
        summary: A description in one sentence.
        parameters: The annotations of the accepted values, by name.
        required: The names of the required values.
    """

    summary: str
    parameters: Mapping[str, Any]
    required: frozenset[str]
    _endpoint: ControlEndpoint
    _function: Callable[..., Any]
    #: The attribute of `Control` that has the method; None if `Control` itself has it.
    _owner: str | None

    def __call__(self, control: object, path_value: str, sent: Mapping[str, Any]) -> Any:
        """Run the operation and return the result as JSON. Raises ValueError for invalid values.

        `path_value` is the end of the request's path, for an operation whose path ends with ``{}``.
        """
        values = read_values(self.parameters, self.required, sent)
        if "limit" in self.parameters and not self._endpoint.count:
            values.setdefault("limit", LISTED)
        arguments = {alias: name for name, alias in self._endpoint.aliases.items()}
        values = {arguments.get(name, name): value for name, value in values.items()}
        target = control if self._owner is None else getattr(control, self._owner)
        if "{}" in self._endpoint.path:
            result = self._function(target, path_value, **values)
        else:
            result = self._function(target, **values)
        if self._endpoint.count:
            result = len(result)
        if self._endpoint.result_key is None:
            return {} if result is None else to_json_types(result)
        answer = {self._endpoint.result_key: to_json_types(result)}
        if isinstance(result, Selection):
            answer["left_out"] = result.left_out
        return answer


def list_operations(
    owners: Mapping[Any, type], vendor: Vendor
) -> dict[tuple[str, str], ControlOperation]:
    """Return the operations of these classes by method and path. The owner None is `Control`."""
    operations = {}
    for owner_name, owner in owners.items():
        # A subclass's method replaces the base's.
        for base in reversed(owner.__mro__):
            for function in vars(base).values():
                for marked in getattr(function, "endpoints", ()):
                    operation = _make_operation(marked, function, owner_name, vendor)
                    operations[marked.method, marked.path] = operation
    return operations


def _make_operation(
    control_endpoint: ControlEndpoint,
    function: Callable[..., Any],
    owner: str | None,
    vendor: Vendor,
) -> ControlOperation:
    """Return the operation that a marked method defines.

    Every argument needs an annotation. ``**`` stands for the endpoint's extra parameters;
    positional-only arguments are for Python alone.
    """
    parameters: dict[str, Any] = {}
    for name, hint in control_endpoint.extra_parameters(vendor).items():
        parameters[control_endpoint.aliases.get(name, name)] = hint
    required = set()
    hints = typing.get_type_hints(function)
    _, *arguments = inspect.signature(function).parameters.values()  # without `self`
    if "{}" in control_endpoint.path:
        # The first argument is in the path.
        arguments = arguments[1:]
    for argument in arguments:
        if argument.kind in (argument.VAR_KEYWORD, argument.POSITIONAL_ONLY):
            continue
        hint = hints.get(argument.name)
        if bytes in types_in(hint):
            # JSON cannot contain bytes, so an operation takes no pictures.
            continue
        name = control_endpoint.aliases.get(argument.name, argument.name)
        parameters[name] = hint
        if argument.default is argument.empty:
            required.add(name)
    return ControlOperation(
        summary=_summarize(function, is_count=control_endpoint.count),
        parameters=parameters,
        required=frozenset(required),
        endpoint=control_endpoint,
        function=function,
        owner=owner,
    )


def _summarize(function: Callable[..., Any], *, is_count: bool) -> str:
    """Return the first sentence of a docstring; an operation that counts has "Count" in it."""
    text = " ".join((function.__doc__ or "").split())
    summary = re.split(r"[.;:](\s|$)", text)[0] + "."
    return re.sub("^Return", "Count", summary) if is_count else summary
