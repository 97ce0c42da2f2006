"""What each package defines publicly: signatures, fields of data classes, enumerations, constants.

`golden/shapes.txt` has a line for each module and class; UPDATE=1 writes it. `~` marks a field that
`repr` hides, `!` one that `==` ignores, `*` a class with keyword-only fields, `:` a converter.
"""

import ast
import datetime as dt
import enum
import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import attrs
from kit.goldens import by_place, facts_in, kept

KEPT = Path(__file__).parent / "golden/shapes.txt"
PACKAGES = ["azure", "baidu", "comparison", "compreface", "core", "deepface", "deepvue", "didit"]
PACKAGES += [
    "facepp",
    "local",
    "mock_server",
    "onfido",
    "persona",
    "regula",
    "rekognition",
    "sumsub",
    "tencent",
    "veriff",
]
PLAIN = bool | int | float | str | bytes | enum.Enum | dt.timedelta | None
TABLE = dict | types.MappingProxyType


def shown(value):
    value = value.factory if isinstance(value, attrs.Factory) else value
    if isinstance(value, TABLE):
        return f"{{{', '.join(f'{shown(of)}: {shown(value[of])}' for of in value)}}}"
    if isinstance(value, tuple | list | set | frozenset):
        parts = map(shown, value)
        return f"({', '.join(parts if isinstance(value, tuple | list) else sorted(parts))})"
    if attrs.has(type(value)):
        return f"{type(value).__name__}{shown(attrs.astuple(value, recurse=False))}"
    return getattr(value, "__name__", None) or re.sub(r" at 0x\w+", "", f"{value!r}")


def is_plain(value):
    """Whether it is a number or a few words, or consists of them: texts are no shapes."""
    if isinstance(value, TABLE | tuple | list | set | frozenset):
        return all(map(is_plain, [*value, *(value.values() if isinstance(value, TABLE) else ())]))
    return isinstance(value, PLAIN) and not (isinstance(value, str) and value.count(" ") > 2)


def of_data_class(cls):
    fields = [of for of in attrs.fields(cls) if not of.inherited]
    yield "fields *" if fields and all(of.kw_only for of in fields) else "fields"
    yield from ["by identity"] * (cls.__eq__ is object.__eq__)
    for of in fields:
        marks = "~" * (of.repr is not True) + "!" * (of.eq is False)
        kind = f": {shown(of.converter)}" * (of.converter is not None)
        yield f"{marks}{of.name}{kind}" + f"={shown(of.default)}" * (
            of.default is not attrs.NOTHING
        )


def imported(place):
    tree = ast.parse(Path(place.__file__).read_text() if inspect.ismodule(place) else "")
    names = (node.names for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {of.asname or of.name for each in names for of in each}


def of_place(place, name):
    """What is public in a module or a class called `name`: pairs of its place and a fact."""
    fields = {of.name for of in attrs.fields(place)} if attrs.has(place) else imported(place)
    if attrs.has(place):
        yield name, ", ".join(of_data_class(place))
    for word, thing in vars(place).items():
        thing = inspect.unwrap(getattr(thing, "__func__", thing))  # noqa: PLW2901
        its = f"{name}.{word}"
        if word.startswith("_") or word in fields:
            continue
        if inspect.isclass(thing) and its == f"{thing.__module__}.{thing.__qualname__}":
            yield from of_place(thing, its)
        elif inspect.isfunction(thing) and f"{thing.__module__}.{thing.__qualname__}" == its:
            given = inspect.signature(thing).parameters.values()
            ends = [f"{of.name}={shown(of.default)}" for of in given if of.default is not of.empty]
            yield from [(name, f"{word}({', '.join(ends)})")] * bool(ends)
        elif is_plain(thing):
            yield name, f"{word} = {shown(thing)}"


def test_public_signatures_are_unchanged():
    facts = set()
    for package in (importlib.import_module(f"facematch_{of}") for of in PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                facts |= {*of_place(importlib.import_module(found.name), found.name)}
    now = by_place(facts)
    assert facts_in(now) ^ facts_in(kept(KEPT, now)) == set(), "UPDATE=1 writes shapes.txt"
