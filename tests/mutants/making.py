"""What a mutant is, and how a class becomes one.

A mutant derives from a form of the reference and overrides what its author got wrong; its
docstring says what that is. `row` and `vendor` make a class of functions: in such a function `me`
is the object, and `ok` is what the reference does.
"""

import functools
import inspect
from collections.abc import Callable

import attrs
from mutants import reference
from mutants.reference import HttpReference, ReferenceBackend, ReferenceSimulator

from facematch_core.testing import VendorSimulator

#: Every mutant that `caught_by` made, by its name.
MUTANTS = {}
#: The simulator of each form of the reference, for a mutant that is given no other.
SIMULATORS = {
    ReferenceBackend: ReferenceSimulator,
    HttpReference: reference.HttpReferenceSimulator,
    reference.LoginReference: reference.LoginSimulator,
}


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


def of_class(rule, backend, simulator=None):
    if simulator is None:
        simulator = next(SIMULATORS[form] for form in backend.__mro__ if form in SIMULATORS)
    first_paragraph = inspect.getdoc(backend).partition("\n\n")[0]
    return Mutant(
        rule=rule,
        name=backend.__name__,
        fault=" ".join(first_paragraph.split()),
        backend=backend,
        simulator=simulator,
    )


def caught_by(rule, simulator=None):
    """Make the decorated class a mutant, which this rule must catch."""

    def keep(backend):
        if backend.__name__ in MUTANTS:
            raise ValueError(f"Two mutants have the name {backend.__name__}.")
        MUTANTS[backend.__name__] = of_class(rule, backend, simulator)
        return backend

    return keep


def derived(base, name, fault="", /, **changes):
    def method(attribute, change):
        def replaced(self, *args, **named):
            return change(self, getattr(super(cls, self), attribute), *args, **named)

        return replaced

    cls = type(name, (base,), {"__doc__": fault, "__module__": __name__})
    for attribute, change in changes.items():
        if inspect.isfunction(change):
            setattr(cls, attribute, method(attribute, change))
        else:
            setattr(cls, attribute, change)
    return cls


def vendor(base=ReferenceSimulator, **changes):
    """The vendor of the reference with some changes."""
    return derived(base, "Odd", **changes)


def row(rule, name, fault, /, *, base=ReferenceBackend, simulator=None, **changes):
    return of_class(rule, derived(base, name, fault, **changes), simulator)


http = functools.partial(row, base=HttpReference)
