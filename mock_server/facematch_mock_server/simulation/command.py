"""`facematch compare simulate`: a file of scores with known error rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from facematch_core import ThresholdRule

from .vendors import GroupRates, SimulatedVendor

if TYPE_CHECKING:
    from .studies import SimulatedStudy

F = TypeVar("F", bound=Callable[..., Any])

#: What a price is in unless it says otherwise.
CURRENCY: Final = "USD"

_COLUMNS: Final = ("vendor", "threshold", "true FMR", "true FNMR", "true FAR", "true FRR")


def _count(name: str, help_: str, *, least: int, default: int) -> Callable[[F], F]:
    """An option that is a whole number."""
    kind, help_ = click.IntRange(least), f"{help_}; {default} by default."
    return click.option(name, type=kind, default=default, metavar="N", help=help_)


@click.command("simulate", short_help="Make up scores with known error rates, to try all this.")
@click.option(
    "--vendor",
    "words",
    multiple=True,
    required=True,
    metavar="NAME:KEY=VALUE,...",
    help="A vendor and what is true of it; may be repeated.",
)
@_count("--people", "How many people", least=2, default=200)
@_count("--mated", "How many mated pairs", least=0, default=1000)
@_count("--non-mated", "How many non-mated pairs", least=0, default=10_000)
@click.option(
    "--pictures",
    type=click.IntRange(1),
    metavar="N",
    help="Pictures of each person; by default as few as the pairs need.",
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="COLUMN:GROUP=PART,...",
    help="A column of groups, each with its part of the people; may be repeated.",
)
@_count("--seed", "Seed of chance", least=0, default=0)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
def command(
    *,
    words: Iterable[str],
    people: int,
    mated: int,
    non_mated: int,
    pictures: int | None,
    groups: Iterable[str],
    seed: int,
    out: Path,
    force: bool,
) -> None:
    """Make up what vendors answer to pairs of people, with error rates that are known.

    \b
    facematch compare simulate --vendor good:fmr=1e-3,fnmr=0.01 \\
      --vendor poor:fmr=1e-2,fnmr=0.05,fta=0.01 --people 200 --out scores.csv
    facematch compare report --scores scores.csv --out report.html

    \b
    fmr, fnmr        true rates at its threshold; 1e-3 and 0.01 by default
    threshold, rule  50; at_least, above, or vendor
    goats, wolves    what part of the scatter is people's own: 0 to 1, 0 to 0.5
    common           what part of it all vendors share: 0 to 1
    fta, outage      pictures without a face; calls without an answer: 0 to 1
    decimals         of its scores; 2 by default, or none
    decisions_only   true: it gives no score
    latency_s        median, in seconds
    price, currency  of one comparison; USD by default
    COLUMN.GROUP.fmr, COLUMN.GROUP.fnmr   rates of a group of --group
    """
    # Not above: `compare` says of its commands what must be installed to run them.
    from facematch_core.comparison import write_scores

    from .studies import simulate, simulate_study

    if out.exists() and not force:
        raise click.UsageError(f"--out: {out} exists; --force overwrites it.")
    vendors = [_vendor(word) for word in words]
    names = [vendor.name for vendor in vendors]
    if len({*names}) < len(names):
        raise click.UsageError("Two vendors have one name: give each its own.")
    study = simulate_study(
        people=people,
        mated=mated,
        non_mated=non_mated,
        pictures=pictures,
        groups=_groups(groups),
        seed=seed,
    )
    for vendor in vendors:
        if vendor.column is not None and vendor.column not in study.groups:
            raise click.UsageError(
                f"{vendor.name[:60]} has rates of groups of {vendor.column[:60]!r}: add that "
                "column with --group."
            )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_scores(out, [simulate(vendor, study, seed=seed) for vendor in vendors])
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise click.UsageError(f"--out: {out} cannot be written: {reason}.") from None
    _show(vendors, study)
    click.echo(f"written to {out}")


def _show(vendors: Iterable[SimulatedVendor], study: SimulatedStudy) -> None:
    """A table of what is true of each."""
    from .studies import truth_of

    rows: list[tuple[str, ...]] = [_COLUMNS]
    for vendor in vendors:
        truth = truth_of(vendor, study)
        rates = (truth.fmr, truth.fnmr, truth.far, truth.frr)
        shown = ["-" if rate is None else f"{rate:.4g}" for rate in rates]
        # A name may hold what moves the cursor of a terminal.
        name = "".join(letter if letter.isprintable() else "?" for letter in vendor.name)
        rows.append((name, f"{vendor.threshold:g}", *shown))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _vendor(text: str) -> SimulatedVendor:
    """A vendor, as typed: ``NAME:KEY=VALUE,...``.

    Raises:
        click.UsageError: an unknown key, or a value of another kind.
        InvalidRequest: a value is out of range.
    """
    name, keys = _split("--vendor", text, example="good:fmr=1e-3,fnmr=0.01")
    own: dict[str, Any] = {}
    groups: dict[str, dict[str, float]] = {}
    columns: set[str] = set()
    for key, value in keys.items():
        column, _, of = key.partition(".")
        group, _, rate = of.rpartition(".")
        if group and rate in ("fmr", "fnmr"):
            columns.add(column)
            groups.setdefault(group, {})[rate] = _read("--vendor", name, key, value, float)
        elif key in _KINDS:
            own[key] = _read("--vendor", name, key, value, _KINDS[key])
        else:
            known = ", ".join(_KINDS)
            raise click.UsageError(
                f"--vendor {name[:60]}: there is no {key[:60]!r}; there are {known}, and "
                "COLUMN.GROUP.fmr and COLUMN.GROUP.fnmr."
            )
    if len(columns) > 1:
        raise click.UsageError(f"--vendor {name[:60]}: groups of one column only can differ.")
    if own.get("price") is not None:
        own.setdefault("currency", CURRENCY)
    vendor = SimulatedVendor(name=name, **own)
    rates = {"fmr": vendor.fmr, "fnmr": vendor.fnmr}
    return SimulatedVendor(
        name=name,
        **own,
        column=next(iter(columns), None),
        groups={group: GroupRates(**rates | given) for group, given in groups.items()},
    )


def _groups(texts: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
    """Column to group to its part of the people, as typed.

    Raises:
        click.UsageError: a part is no number, or a column comes twice.
    """
    found: dict[str, Mapping[str, float]] = {}
    for text in texts:
        column, parts = _split("--group", text, example="sex:f=0.5,m=0.5")
        if column in found:
            raise click.UsageError(f"--group {column[:60]} is given twice.")
        found[column] = {
            group: _read("--group", column, group, part, float) for group, part in parts.items()
        }
    return found


def _split(option: str, text: str, *, example: str) -> tuple[str, dict[str, str]]:
    name, _, rest = text.partition(":")
    if not name.strip():
        raise click.UsageError(f"{option} {text[:60]!r} has no name: write {example}.")
    read: dict[str, str] = {}
    for word in filter(None, map(str.strip, rest.split(","))):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} {name[:60]}: {word[:60]!r} is not name=value.")
        if key in read:
            raise click.UsageError(f"{option} {name[:60]}: {key[:60]} is given twice.")
        read[key] = value
    return name.strip(), read


def _read(option: str, name: str, key: str, value: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(value.strip())
    except (KeyError, ValueError):
        raise click.UsageError(
            f"{option} {name[:60]}: {key[:60]} cannot be {value[:40]!r}."
        ) from None


def _decimals(text: str) -> int | None:
    return None if text == "none" else int(text)


#: What may be said of a vendor, and how it is read.
_KINDS: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("fmr", "fnmr", "threshold", "goats", "wolves"), float),
    **dict.fromkeys(("common", "fta", "outage", "latency_s", "price"), float),
    "rule": ThresholdRule,
    "decimals": _decimals,
    "decisions_only": {"true": True, "false": False}.__getitem__,
    "currency": str,
}
