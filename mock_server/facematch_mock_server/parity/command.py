"""The command `facematch parity`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core import ConfigurationError, __version__
from facematch_core.base.extras import install_command
from facematch_core.cli.files import write_bytes
from facematch_core.cli.options import json_option
from facematch_core.cli.text import Exit, print_json, quantity, say
from facematch_mock_server.cli import as_sentence, read_pairs
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.replies import read_replies

if TYPE_CHECKING:
    from .comparing import ComparedExchange


@click.command("parity", short_help="Compare a recording of a vendor with its mock.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "later", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option(
    "--picture",
    multiple=True,
    metavar="NAME=CARD",
    help="What a picture of the recording shows, such as r3=no-face. May be repeated.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="[VENDOR.]NAME=VALUE",
    help="How the vendor's account is set, as of facematch mock. May be repeated.",
)
@click.option(
    "--mark", is_flag=True, help="Let the recording answer instead of the mock where they differ."
)
@click.option(
    "--shapes",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the shapes of the vendor's answers, fit to be sent in: no value of yours.",
)
@click.option("--show", is_flag=True, help="Print the shapes before they are written.")
@json_option
def command(
    file: Path,
    later: Path | None,
    picture: Sequence[str],
    switches: Sequence[str],
    *,
    mark: bool,
    shapes: Path | None,
    show: bool,
    as_json: bool,
) -> int:
    """Compare each call in FILE, recorded at a vendor, with the mock's answer to the same request.

    \b
    facematch parity didit.json

    With LATER, another recording of the same calls, compare that with FILE: what changed at the
    vendor, also at one that the mock does not know.

    Needs no key, and calls no vendor. If an answer depends on what a picture shows, the card that
    explains it best is named. Exit code 1: an answer differs.
    """
    try:
        from .comparing import compare_exchanges, compare_recordings
        from .exchanges import exchanges_in
        from .publishing import describe_shapes
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"parity needs {missing.name}: {install_command('door')}"
        ) from None
    _check_shapes(shapes, show=show, as_json=as_json)
    try:
        exchanges = exchanges_in(read_replies(file))
        known_cards = read_pairs("picture", picture)
        if not exchanges:
            raise click.UsageError(f"{file} has no call that facematch mock --record recorded.")
        _check_cards(known_cards, {name for exchange in exchanges for name in exchange.pictures})
        if later is None:
            content = file.read_bytes()
            compared = compare_exchanges(exchanges, known_cards, read_pairs("switch", switches))
        elif picture or switches or mark or shapes:
            raise click.UsageError("LATER is compared with FILE: leave the other options out.")
        else:
            content = later.read_bytes()
            compared = compare_recordings(exchanges, exchanges_in(read_replies(later)))
    except ValueError as error:
        raise click.UsageError(as_sentence(error)) from None
    if mark:
        _mark(file, content, compared)
    if shapes is not None:
        text = describe_shapes(compared)
        if show:
            click.echo(text)
        write_bytes(shapes, text.encode())
        return Exit.OK
    report = _make_report(compared, hashlib.sha256(content).hexdigest())
    if as_json:
        print_json(report)
    else:
        _print_report(report, "the mock" if later is None else file.name)
    return Exit.NO if report["counts"]["different"] else Exit.OK


def _check_shapes(shapes: Path | None, *, show: bool, as_json: bool) -> None:
    if show and shapes is None:
        raise click.UsageError("--show prints what --shapes writes: add --shapes.")
    if shapes is not None and as_json:
        raise click.UsageError("--json prints what was compared, --shapes only writes: take one.")
    if shapes is not None and shapes.exists():
        raise click.UsageError(f"--shapes: {shapes} exists: name a new file.")


def _check_cards(known_cards: Mapping[str, str], pictures: Collection[str]) -> None:
    """Refuse a picture that is not in the recording, and an unknown card."""
    for name, card in known_cards.items():
        if name not in pictures:
            recorded = ", ".join(sorted(pictures)) or "none"
            raise click.UsageError(
                f"--picture {name:.40}: the recording's pictures are {recorded}."
            )
        if card not in READY:
            raise click.UsageError(f"--picture {name}: the cards are {', '.join(READY)}.")


def _mark(file: Path, content: bytes, compared: Sequence[ComparedExchange]) -> None:
    """Write the recording with ``"instead": true`` where it differs from the mock."""
    document = json.loads(content)
    mappings = document.get("mappings", [document])
    for each in compared:
        if each.result == "different":
            mappings[each.exchange.position]["metadata"]["instead"] = True
    write_bytes(file, json.dumps(document, indent=1, ensure_ascii=False).encode())


def _make_report(compared: Sequence[ComparedExchange], sha256: str) -> dict[str, Any]:
    """Return the report of a comparison, as `--json` writes it.

    A claim holds if an answer with it is alike, unless one that differs has it, too; a claim that
    is cited only because of what pictures may show stands apart.
    """
    counts = Counter(each.result for each in compared)
    held: set[str] = set()
    about_faces: set[str] = set()
    in_doubt: set[str] = set()
    hosts: dict[tuple[str, str], bool] = {}
    calls = []
    for each in compared:
        exchange = each.exchange
        if each.result == "alike":
            held |= each.claims - each.claims_about_faces
            about_faces |= each.claims_about_faces
        elif each.result == "different":
            in_doubt |= each.claims
        hosts[exchange.vendor, exchange.host] = exchange.has_own_host
        call = {
            "number": exchange.number,
            "vendor": exchange.vendor,
            "call": exchange.call,
            "result": each.result,
            "as_if": each.as_if or None,
            "differences": [attrs.asdict(difference) for difference in each.differences],
        }
        calls.append(call)
    return {
        "kind": "facematch-parity",
        "schema": 3,
        "facematch": __version__,
        "sha256": sha256,
        "recorded": sorted({each.exchange.day for each in compared}),
        "hosts": [
            {"vendor": vendor, "host": host, "is_the_vendors_own": is_own}
            for (vendor, host), is_own in sorted(hosts.items())
        ],
        "counts": {name: counts[name] for name in ("alike", "different", "not imitated")},
        "claims": {
            "held": sorted(held - in_doubt),
            "held_as_if": sorted(about_faces - held - in_doubt),
            "in_doubt": sorted(in_doubt),
        },
        "exchanges": calls,
    }


def _print_report(report: Mapping[str, Any], first: str) -> None:
    """Print each call with its differences, then counts and claims; `first` names the mock."""
    for call in report["exchanges"]:
        as_if = f", as if {call['as_if']}" if call["as_if"] else ""
        say(f"{call['number']} {call['vendor']} {call['call']}: {call['result']}{as_if}")
        for difference in call["differences"]:
            mock = " or ".join(difference["mock"]) or "nothing"
            vendor = " or ".join(difference["vendor"]) or "nothing"
            say(f"    {difference['aspect']}: {mock} at {first}, {vendor} at the vendor")
    for host in report["hosts"]:
        owner = "the vendor's own" if host["is_the_vendors_own"] else "not the vendor's own"
        say(f"host: {host['host']} ({owner})")
    counts = ", ".join(f"{count} {result}" for result, count in report["counts"].items())
    say(f"{quantity(len(report['exchanges']), 'call')}: {counts}")
    claims = report["claims"]
    say(f"claims that hold: {len(claims['held'])}")
    if claims["held_as_if"]:
        say(f"claims that hold if the pictures show that: {len(claims['held_as_if'])}")
    if claims["in_doubt"]:
        say(f"claims in doubt: {', '.join(claims['in_doubt'])}")
