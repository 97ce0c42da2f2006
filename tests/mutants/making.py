"""What a mutant is, and how a row of the table or a class becomes one."""

import functools
import inspect
from collections.abc import Callable

import attrs
from mutants import reference
from mutants.reference import HttpReference, ReferenceBackend, ReferenceSimulator

from facematch_core.testing import VendorSimulator


@attrs.frozen(kw_only=True)
class Mutant:
    """A backend with one fault, which the rule of this number must catch."""

    rule: str
    name: str
    fault: str
    backend: type
    simulator: Callable[[type], VendorSimulator]

    def make(self):
        return self.simulator(self.backend)


def of_class(rule, name, cls, simulator=None):
    is_http = issubclass(cls, HttpReference)
    usual = reference.HttpReferenceSimulator if is_http else ReferenceSimulator
    fault = " ".join(inspect.getdoc(cls).partition("\n\n")[0].split())
    return Mutant(rule=rule, name=name, fault=fault, backend=cls, simulator=simulator or usual)


def derived(base, name, fault="", /, **changes):
    def method(attribute, change):
        def replaced(self, *args, **named):
            return change(self, getattr(super(cls, self), attribute), *args, **named)

        return replaced

    cls = type(name, (base,), {"__doc__": fault, "__module__": __name__})
    for attribute, change in changes.items():
        new = method(attribute, change) if inspect.isfunction(change) else change
        setattr(cls, attribute, new)
    return cls


def vendor(base=ReferenceSimulator, **changes):
    """The vendor of the reference with some changes."""
    return derived(base, "Odd", **changes)


def row(rule, name, fault, /, *, base=ReferenceBackend, simulator=None, **changes):
    return of_class(rule, name, derived(base, name, fault, **changes), simulator)


http = functools.partial(row, base=HttpReference)
