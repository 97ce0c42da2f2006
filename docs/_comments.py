"""An extension for mkdocstrings: conventions of this code that griffe does not support.

A `#:` comment is the docstring of the name below it, a list of exceptions may span lines, several
names may share one description, `::` starts a code block, a section `Example:` holds one example,
and the signature of a method may list its ``**options``.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import operator
import re
from typing import Any

import griffe

#: A line with an unfinished list of exceptions.
_BROKEN = re.compile(r"^( *(?:[A-Z]\w+, )*[A-Z]\w+,)\n +", re.MULTILINE)

#: Several names with one description.
_SHARED = re.compile(r"^( +)((?:[a-z]\w*, )+[a-z]\w*): (.*(?:\n\1 +.*)*)", re.MULTILINE)

#: A line that starts a code block, alone or at the end of a sentence.
_CODE = re.compile(r"^( *)(.*?)::$", re.MULTILINE)

#: The heading of a section with one example. griffe only knows `Examples:`, which may have a title.
_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


def _one_by_one(shared: re.Match[str]) -> str:
    return "\n".join(f"{shared[1]}{name}: {shared[3]}" for name in shared[2].split(", "))


class Comments(griffe.Extension):
    """Prepares docstrings before they are parsed."""

    def on_instance(
        self, *, node: ast.AST | griffe.ObjectNode, obj: griffe.Object, **_: Any
    ) -> None:
        """Convert a docstring to Markdown that griffe can split into sections."""
        if obj.docstring is not None:
            text = _BROKEN.sub(r"\1 ", obj.docstring.value)
            text = _SHARED.sub(_one_by_one, text)
            text = _EXAMPLE.sub("Examples: Example:", text)
            obj.docstring.value = _CODE.sub(
                lambda line: line[1] + (line[2] and line[2] + ":"), text
            )

    def on_attribute_instance(
        self, *, node: ast.AST | griffe.ObjectNode, attr: griffe.Attribute, **_: Any
    ) -> None:
        """Use the comment above an attribute as its docstring, if it has none."""
        if attr.docstring is not None or attr.lineno is None:
            return
        lines = attr.lines_collection[attr.filepath][: attr.lineno - 1]
        lines_above: list[str] = []
        while lines and (line := lines.pop().strip()).startswith("#:"):
            lines_above.insert(0, line.removeprefix("#:").strip())
        if lines_above:
            attr.docstring = griffe.Docstring(
                " ".join(lines_above), parent=attr, lineno=attr.lineno
            )

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Expand the options of a method whose signature lists them, like `help`."""
        variadic = [p for p in func.parameters if p.kind is griffe.ParameterKind.var_keyword]
        if not variadic or not str(variadic[0].annotation).startswith("Unpack["):
            return
        module = importlib.import_module(func.module.canonical_path)
        path = func.canonical_path.removeprefix(f"{module.__name__}.")
        method = operator.attrgetter(path)(module)
        if "__signature__" not in vars(method):
            return
        del func.parameters[variadic[0].name]
        for name, parameter in inspect.signature(method).parameters.items():
            if name not in func.parameters:
                default = parameter.default
                func.parameters.add(
                    griffe.Parameter(
                        name,
                        annotation=parameter.annotation,
                        kind=griffe.ParameterKind.keyword_only,
                        default=f"{type(default).__name__}.{default.name}"
                        if isinstance(default, enum.Enum)
                        else repr(default),
                    )
                )
