"""What users and authors of plug-ins import: signatures, fields, enumerations, constants.

`golden/shapes.txt` has a line for each class, and one for the rest of each public module; UPDATE=1
writes it. `~` marks a field that `repr` hides, `!` one that `==` ignores, `*` a class with
keyword-only fields, `:` a converter. What is private may change: what it decides is tested where it
does.
"""

import datetime as dt
import enum
import importlib
import inspect
import re
import types
from pathlib import Path

import attrs
from kit.goldens import by_place, facts_in, kept

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "golden/shapes.txt"
#: The modules whose names users and authors of plug-ins import: what is in `__all__`, else what a
#: module defines.
PUBLIC = (
    "facematch_core",
    "facematch_core.backend",
    "facematch_core.backend.engine",
    "facematch_core.backend.session_types",
    "facematch_core.base.deadline",
    "facematch_core.call_log",
    "facematch_core.errors",
    "facematch_core.hooks.opentelemetry",
    "facematch_core.hooks.prometheus",
    "facematch_core.http",
    "facematch_core.models",
    "facematch_core.resilience",
    "facematch_core.store",
    "facematch_core.testing",
    "facematch_comparison",
    "facematch_comparison.production.drift",
    "facematch_comparison.production.shadow",
    "facematch_comparison.values.model",
    "facematch_mock_server",
    "facematch_mock_server.claims",
    "facematch_mock_server.vendors.base",
    "facematch_mock_server.vendors.pairs",
)
BACKENDS = sorted(path.parent.name for path in ROOT.glob("backends/*/__init__.py"))
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
    if isinstance(value, TABLE):
        return is_plain(list(value)) and is_plain(list(value.values()))
    if isinstance(value, tuple | list | set | frozenset):
        return all(map(is_plain, value))
    return isinstance(value, PLAIN) and not (isinstance(value, str) and value.count(" ") > 2)


def of_data_class(cls):
    fields = [of for of in attrs.fields(cls) if not of.inherited and not of.name.startswith("_")]
    yield "fields *" if fields and all(of.kw_only for of in fields) else "fields"
    if cls.__eq__ is object.__eq__:
        yield "by identity"
    for of in fields:
        text = of.name
        if of.eq is False:
            text = f"!{text}"
        if of.repr is not True:
            text = f"~{text}"
        if of.converter is not None:
            text += f": {shown(of.converter)}"
        if of.default is not attrs.NOTHING:
            text += f"={shown(of.default)}"
        yield text


def of_thing(place, word, thing):
    """What is seen of an attribute of a class or module: at most one pair of a place and a fact."""
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    if inspect.isfunction(thing):
        given = inspect.signature(thing).parameters.values()
        ends = [f"{of.name}={shown(of.default)}" for of in given if of.default is not of.empty]
        if ends:
            yield place, f"{word}({', '.join(ends)})"
    elif not inspect.isclass(thing) and is_plain(thing):
        yield place, f"{word} = {shown(thing)}"


def of_class(cls, name):
    fields = set()
    if attrs.has(cls):
        fields = {of.name for of in attrs.fields(cls)}
        yield name, ", ".join(of_data_class(cls))
    for word, thing in vars(cls).items():
        if not word.startswith("_") and word not in fields:
            yield from of_thing(name, word, thing)


def public_names(module):
    if hasattr(module, "__all__"):
        return module.__all__
    own = vars(module).items()
    defined = [name for name, of in own if getattr(of, "__module__", None) == module.__name__]
    return [name for name in defined if not name.startswith("_")]


def of_public_modules():
    """Pairs of a place and a fact. A class stands where it is first found, with its bases."""
    seen = set()
    for module in map(importlib.import_module, [*PUBLIC, *BACKENDS]):
        for name in public_names(module):
            thing = getattr(module, name)
            if not inspect.isclass(thing):
                yield from of_thing(module.__name__, name, thing)
                continue
            for cls in thing.__mro__:
                if cls in seen or not cls.__module__.startswith("facematch_"):
                    continue
                seen.add(cls)
                place = f"{module.__name__}.{name}"
                yield from of_class(cls, place if cls is thing else f"{place}({cls.__name__})")


def test_public_signatures_are_unchanged():
    now = by_place(of_public_modules())
    assert facts_in(now) ^ facts_in(kept(KEPT, now)) == set(), "make goldens writes shapes.txt"
