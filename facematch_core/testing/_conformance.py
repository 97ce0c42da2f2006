"""From the name of a backend to its card."""

from __future__ import annotations

import datetime as dt
import functools
import platform
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from facematch_core import __version__
from facematch_core.backend import Backend, Secret
from facematch_core.errors import BackendUnavailable, ConfigurationError, FaceMatchError
from facematch_core.plugins import available_backends, backend_class

from ._card import Card, RuleLine
from ._double import VendorDouble
from ._doubles import GROUP, FoundDouble, double_of
from ._opening import Alone
from ._proofs import proved
from ._reasons import Masked
from ._running import Case, MakeDouble, Progress, Status, run

#: Why most rules are open where nobody plays the vendor.
NO_DOUBLE = f"no double is installed: entry-point group {GROUP}"


def conformance(
    backend: str | type[Backend],
    *,
    double: type[VendorDouble] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Card:
    """Run every rule of the contract over a backend.

    The vendor's double is found by the backend's name in the entry-point group
    ``facematch.doubles``. Without one only the rules that ask the vendor nothing are run, over the
    backend's class opened with placeholders for its keys; the card says so. Nothing is sent beyond
    this machine, and no key of the environment is read.

    Args:
        backend: Name of an installed backend, or its class.
        double: Its double, instead of the one that is installed.
        settings: Settings of the backend, over those that the double or the placeholders give it.
        progress: Told after each case how many are done, and of how many.

    Raises:
        BackendUnavailable: there is no such backend, or it or its double cannot be imported or
            opened.
        ConfigurationError: the backend refuses its settings, or needs one that is no secret; or
            Python was told to leave assertions out.
    """
    refuse_without_assertions()
    found = _found(backend)
    playing = FoundDouble(cls=double) if double is not None else double_of(found.cls.name)
    given = dict(settings or {})
    if playing is None:
        make: MakeDouble = functools.partial(Alone, found.cls, given)
    else:
        make = functools.partial(_with_settings, playing.cls, given)
    name = found.cls.name
    secrets = _secrets(given)
    opened = _tried(make, found.cls, playing, Masked(secrets))
    cases = run({name: make}, pure_only=playing is None, secrets=secrets, progress=progress)[name]
    lines = rule_lines(cases)
    return Card(
        backend=name,
        distribution=found.distribution,
        version=found.version,
        double=None if playing is None else playing.cls.__name__,
        double_distribution=None if playing is None else playing.distribution,
        double_version=None if playing is None else playing.version,
        settings=tuple(sorted(given)),
        core_version=__version__,
        python_version=platform.python_version(),
        made_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        rules=lines,
        capabilities=proved(opened, {line.number: line.status for line in lines}),
    )


@attrs.frozen(kw_only=True)
class _Found:
    """A backend's class, and who offers it."""

    cls: type[Backend]
    distribution: str | None = None
    version: str | None = None


def refuse_without_assertions() -> None:
    """Raise `ConfigurationError` where the rules would pass whatever they see."""
    if not __debug__:
        raise ConfigurationError(
            "The rules are assertions, which Python leaves out with -O and PYTHONOPTIMIZE: run it "
            "without them."
        )


def _found(backend: object) -> _Found:
    if isinstance(backend, str):
        cls = backend_class(backend)
    elif isinstance(backend, type) and issubclass(backend, Backend):
        cls = backend
    else:
        raise ConfigurationError(
            "conformance takes the name or the class of a backend, not "
            f"{type(backend).__name__}: give it type(backend)."
        )
    for info in available_backends():
        if info.name == cls.name and info.problem is None and _is(cls, info.name):
            return _Found(cls=cls, distribution=info.distribution, version=info.version or None)
    return _Found(cls=cls)


def _is(cls: type[Backend], name: str) -> bool:
    try:
        return backend_class(name) is cls
    except FaceMatchError:
        return False


def _with_settings(double: type[VendorDouble], settings: Mapping[str, Any]) -> VendorDouble:
    made = double()
    if settings:
        # Under whatever the rule itself sets, over what the double would choose.
        made.backend = functools.partial(made.backend, **settings)  # type: ignore[method-assign]  # on this one object
    return made


def _tried(
    make: MakeDouble, cls: type[Backend], playing: FoundDouble | None, masked: Masked
) -> Backend:
    """The backend as the rules will meet it, opened and closed once.

    A double that cannot be started would else fail every rule, one by one.
    """
    try:
        with make() as double:
            opened = double.backend()
            opened.close()
    except FaceMatchError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a double raises is its own fault
        reason = masked.text(f"{type(error).__name__}: {error}")[:300]
    else:
        if isinstance(opened, cls):
            return opened
        reason = f"it opens {type(opened).__name__}, which is no {cls.__name__}"
    who = f"The backend {cls.name}" if playing is None else f"The double {playing.told}"
    raise BackendUnavailable(f"{who} cannot be used ({reason}).")


def _secrets(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What was set and may be a key."""
    texts = (value.reveal() if isinstance(value, Secret) else value for value in given.values())
    return tuple(text for text in texts if isinstance(text, str))


def rule_lines(cases: Iterable[Case]) -> tuple[RuleLine, ...]:
    """What came out, rule by rule; a rule that was not run is open for want of a double."""
    # Not above: whoever imports the kit before pytest runs would get assertions that say nothing.
    from ._contract import rules

    by_rule: dict[str, list[Case]] = {}
    for case in cases:
        by_rule.setdefault(case.rule, []).append(case)
    lines = []
    for rule in rules():
        of = by_rule.get(rule.number, [])
        status = _worst(of)
        lines.append(
            RuleLine(
                number=rule.number,
                title=rule.title,
                status=status,
                reasons=_reasons(of, status) if of else (NO_DOUBLE,),
                cases=len(of),
                passed=sum(case.status is Status.PASSED for case in of),
            )
        )
    return tuple(lines)


#: What weighs more comes first.
_WEIGHT = (Status.FAILED, Status.OPEN, Status.PASSED, Status.DOES_NOT_APPLY)


def _worst(cases: Iterable[Case]) -> Status:
    return min((case.status for case in cases), key=_WEIGHT.index, default=Status.OPEN)


def _reasons(cases: Iterable[Case], status: Status) -> tuple[str, ...]:
    """The reasons of that status, each once, with the names of the cases that it holds for."""
    where: dict[str, list[str]] = {}
    for case in cases:
        if case.status is status and case.reason:
            where.setdefault(case.reason, []).append(case.name)
    return tuple(map(_with_cases, where.items()))


def _with_cases(item: tuple[str, list[str]]) -> str:
    reason, names = item
    told = [name for name in names if name]
    return f"{', '.join(told)}: {reason}" if told else reason
