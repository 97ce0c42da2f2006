"""What a mutant is, and how a row of the table or a class becomes one."""

import functools
import inspect
from collections.abc import Callable

import attrs
from mutants.reference import (
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    SdkReference,
)

from facematch_core.testing import VendorSimulator


@attrs.frozen(kw_only=True)
class Mutant:
    """A backend with one fault.

    Attributes:
        rule: Number of the rule that must catch it.
        name: Its own.
        fault: What is wrong with it, in a sentence.
        backend: Its class.
        simulator: The class of the simulator that opens it.
    """

    rule: str
    name: str
    fault: str
    backend: type
    simulator: Callable[[type], VendorSimulator]

    def make(self):
        """A fresh simulator that opens this backend."""
        return self.simulator(self.backend)


def of_class(rule, name, cls, simulator=None):
    """A mutant that is a class; its docstring is the fault."""
    sends = issubclass(cls, (HttpReference, SdkReference))
    usual = HttpReferenceSimulator if sends else ReferenceSimulator
    fault = " ".join(inspect.getdoc(cls).partition("\n\n")[0].split())
    return Mutant(rule=rule, name=name, fault=fault, backend=cls, simulator=simulator or usual)


#: The mutants that are classes of their own.
CLASSES = []


def caught_by(rule):
    """Register a class as a mutant that `rule` must catch; its docstring is the fault."""

    def register(cls):
        CLASSES.append(of_class(rule, cls.__name__, cls))
        return cls

    return register


def row(rule, name, fault, *, base=ReferenceBackend, simulator=None, **changes):
    """A mutant of `base` with `changes`: functions of `(me, ok, ...)`, or values of attributes."""

    def method(attribute, change):
        def replaced(self, *args, **named):
            return change(self, getattr(super(cls, self), attribute), *args, **named)

        return replaced

    cls = type(name, (base,), {"__doc__": fault})
    for attribute, change in changes.items():
        new = method(attribute, change) if inspect.isfunction(change) else change
        setattr(cls, attribute, new)
    return of_class(rule, name, cls, simulator)


http = functools.partial(row, base=HttpReference)
sdk = functools.partial(row, base=SdkReference)
