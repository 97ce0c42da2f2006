"""Generate the tables of docs/vendors/index.md and reference.md, as Markdown."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from _markdown import cells

from facematch_comparison.cli.list_prices import list_price, read_facts
from facematch_core import Operation, available_backends
from facematch_core.backend import Backend, Capabilities
from facematch_core.config.plugins import CORE_DISTRIBUTION, SEPARATE_PACKAGES, backend_class
from facematch_core.http import PairBackend
from facematch_core.models import ThresholdRule
from facematch_mock_server.compared import latest_comparison
from facematch_mock_server.first_calls.plans import read_plan
from facematch_mock_server.pages.web import has_script
from facematch_mock_server.vendors import vendor_named, vendor_names

#: The counts of published answers with which mocks were compared.
COMPARED = Path(__file__).parent / "vendors/compared.toml"
#: The differences of mocks from published answers that stay.
EXPLAINED = Path(__file__).parents[1] / "tests/recorded/explained.toml"
WORDS_OF_RULES = {ThresholdRule.ABOVE: "above", ThresholdRule.AT_LEAST: "at least"}


def bundled_backends() -> dict[str, type[Backend]]:
    """Return the classes of facematch's own backends, those that most public programs use first."""
    facts = read_facts()
    ours = {CORE_DISTRIBUTION, *SEPARATE_PACKAGES.values()}
    own = [info.name for info in available_backends() if info.distribution in ours]
    own.sort(key=lambda name: (-facts.get(name, {}).get("programs", -math.inf), name))
    return {name: backend_class(name) for name in own}


#: Each group of vendors: its title, and the list prices that one check adds up.
GROUPS = {
    "two pictures: match and liveness": ("match", "liveness"),
    "a session without a document": ("session",),
    "a session with a document": ("document",),
}

#: What a list price can be of; `session` is one without a document.
CHECKS = ("match", "liveness", "session", "document", "plan", "package", "free")


def table_of_costs() -> str:
    """Return the table of what 1,000 and 100,000 checks cost, in groups, the cheapest first."""
    facts = read_facts()
    titles = ("What is checked", "Backend", "1,000", "100,000", "Charged", "Page")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    for group, checks in GROUPS.items():
        known = []
        asked = []
        for name, backend in bundled_backends().items():
            if not offers(name, backend, checks) or facts[name]["buying"] == "free software":
                continue
            lines = [list_price(facts[name], what) for what in checks]
            if None in lines:
                asked.append(link_to(name))
                continue
            price = sum(Decimal(line["price"]) for line in lines)
            known.append((price, name, lines))
        for price, name, lines in sorted(known, key=lambda row: row[:2]):
            currency = lines[0]["currency"]
            amounts = (f"{currency} {price * number:,.0f}" for number in (1_000, 100_000))
            pages = ", ".join(f"[{link_text(line)}]({line['source']})" for line in lines)
            charged = "; ".join(dict.fromkeys(line["when"] for line in lines if line["when"]))
            rows.append(cells(group, link_to(name), *amounts, charged or "not said", pages))
        rows.append(cells(group, ", ".join(asked), "ask", "ask", "-", "-"))
    return "\n".join(rows)


def offers(name: str, backend: type[Backend], checks: tuple[str, ...]) -> bool:
    """Return whether a backend makes the checks of a group."""
    if "match" in checks:
        return Operation.MATCH in backend.capabilities.operations
    priced = {line["what"] for line in read_facts()[name].get("prices", ())}
    if "document" in checks:
        return "document" in priced
    # Vendors with a price of documents film nobody without one, unless they have both prices.
    return backend.session_capabilities is not None and (
        "session" in priced or "document" not in priced
    )


def link_text(line: Mapping[str, Any]) -> str:
    """Return the plan, and the days on which a price was read and, if it is a copy, copied."""
    plan = f"{line['tier'].partition(',')[0].partition(';')[0]}: " if line["tier"] else ""
    copied = f"copied {line['dated']}, " if line["trust"] == "copied" else ""
    return f"{plan}{copied}read {line['read']}"


def table_of_buying() -> str:
    """Return the table of who sells to whom, how soon, and what is free."""
    facts = read_facts()
    titles = ("Backend", "May you buy it?", "Least a month", "Free")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    for name in bundled_backends():
        fact = facts[name]
        least = [
            f"{line['currency']} {line['least']} ({line['tier'].partition(',')[0]})"
            for line in fact.get("prices", ())
            if line["least"] and line["trust"] != "said"
        ]
        rows.append(cells(link_to(name), fact["buying"], "; ".join(least) or "-", fact["trial"]))
    return "\n".join(rows)


def table_of_prices() -> str:
    """Return the table of all list prices that were found, those of one check side by side."""
    titles = ("What", "Backend", "Price", "Unit, tier, when, least", "Source, against")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    facts = read_facts()
    lines = [(name, line) for name in bundled_backends() for line in facts[name].get("prices", ())]
    for name, line in sorted(lines, key=lambda row: CHECKS.index(row[1]["what"])):
        least = f"at least {line['currency']} {line['least']} a month" if line["least"] else ""
        sold = "; ".join(filter(None, [line["unit"], line["tier"], line["when"], least]))
        pages = "; ".join(link_page(line[key]) for key in ("source", "also") if line[key])
        against = f". Against: {line['against']}" if line["against"] else ""
        source = f"{pages} ({read_of(line)}){against}"
        rows.append(cells(line["what"], link_to(name), amount_of(line), sold, source))
    return "\n".join(rows)


def amount_of(line: Mapping[str, Any]) -> str:
    """Return a price with its currency and the number of units that it is for."""
    if not re.fullmatch(r"[\d.]+", line["price"]):
        return str(line["price"])
    amount = f"{line['currency']} {line['price']}"
    if line["per"] == "month":
        return f"{amount} a month"
    return amount if line["per"] == 1 else f"{amount} for {line['per']:,}"


def table_of_terms() -> str:
    """Return the table of the other facts that were found about each vendor."""
    titles = ("Kind", "Backend", "Says", "Source")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    facts = read_facts()
    lines = [(name, line) for name in bundled_backends() for line in facts[name].get("facts", ())]
    for name, line in sorted(lines, key=lambda row: row[1]["kind"]):
        source = f"{link_page(line['source'])} ({read_of(line)})"
        rows.append(cells(line["kind"], link_to(name), line["says"], source))
    return "\n".join(rows)


def read_of(line: Mapping[str, Any]) -> str:
    """Return how far the source of a fact is trusted, and its days."""
    dated = line["dated"] if line["dated"].startswith("undated") else f"dated {line['dated']}"
    return f"{line['trust']}; {dated}, read {line['read']}"


def link_page(source: str) -> str:
    """Return a source, its addresses as links, which a narrow column can wrap."""
    address = r"(?:https://)?((?:[\w-]+\.)+[a-z]+/[^\s,;()]+)"
    return re.sub(address, r"[page](https://\1)", source)


def table_of_hosts() -> str:
    """Return the table of the hosts that a backend calls, and what it sends there."""
    rows = [cells("Backend", "Host", "Sent"), "|---|---|---|"]
    facts = read_facts()
    for name in bundled_backends():
        if "sent" in facts[name]:
            rows.append(cells(f"`{name}`", facts[name]["host"], facts[name]["sent"]))
    return "\n".join(rows)


def table_of_choice() -> str:
    """Return the table of what each vendor offers, and for how much."""
    facts = read_facts()
    titles = ("Backend", "Match", "Liveness", "Sessions", "Web SDK on the mock", "Price")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    for name, backend in bundled_backends().items():
        operations = backend.capabilities.operations
        rows.append(
            cells(
                link_to(name),
                yes_or_no(Operation.MATCH in operations),
                yes_or_no(Operation.LIVENESS in operations),
                sessions_of(backend),
                web_sdk_of(name, backend),
                facts[name]["price"],
            )
        )
    return "\n".join(rows)


def web_sdk_of(name: str, backend: type[Backend]) -> str:
    """Return whether a vendor's own script runs on the mock."""
    if backend.session_capabilities is None:
        return "-"
    return read_facts()[name].get("web_sdk", yes_or_no(has_script(name)))


def table_of_faces() -> str:
    """Return the table of where the faces go, how long they stay, and who tested the liveness."""
    facts = read_facts()
    titles = ("Backend", "Leaves your machines", "Region", "Kept", "Deleting", "Liveness tested")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    for name in bundled_backends():
        fact = facts[name]
        tests = [
            cite(line["says"].removeprefix("Liveness: "), line)
            for line in fact.get("facts", ())
            if line["kind"] == "certificate" and line["trust"] == "vendor"
        ]
        keys = ("leaves", "region", "kept", "deleting")
        values = (fact[key] for key in keys)
        rows.append(cells(link_to(name), *values, "; ".join(tests) or "not found"))
    return "\n".join(rows)


def cite(text: str, fact: Mapping[str, str]) -> str:
    """Return a text with its fact's source, as a link if it has one, and the day it was read."""
    source, read = fact["source"], fact["read"]
    if source.startswith("https://"):
        return f"[{text}]({source}) (read {read})"
    return f"{text} ({source}, read {read})"


def table_of_features() -> str:
    """Return the table of how each backend decides and charges, and when its mock was compared."""
    titles = ("Backend", "Decides", "Charged", "Compared")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    for name, backend in bundled_backends().items():
        rows.append(
            cells(
                link_to(name),
                rule_of(backend),
                names_of(charged_operations_of(backend)) or "nothing",
                day_of_comparison(name),
            )
        )
    return "\n".join(rows)


def first_calls_to(vendor: str) -> str:
    """Return the part of a vendor's page about the first calls with a key."""
    plan = read_plan(vendor)
    number = len(plan["call"])
    charged = sum(call.get("charged", False) for call in plan["call"])
    variables = sorted(set(re.findall(r"\$\{([A-Z_]+)\}", json.dumps(plan))))
    maximum = f"at most {charged}" if charged else "none"
    settings = "".join(f"`{variable}`, " for variable in variables)
    head = (
        f"Of {number} [first calls](reference.md#the-first-real-call), {maximum} may be charged. "
        f"{f'Set {settings[:-2]}, and run:' if variables else 'Run:'}"
    )
    record = f"--record {vendor}.json --max-calls {number}"
    runner = f"python -m facematch_mock_server.first_calls {vendor} ME.jpg ME-AGAIN.jpg FRIEND.jpg"
    if vendor_named(vendor).hosts:
        commands = [f"facematch mock --door --vendor {vendor} {record} -- \\", f"    {runner}"]
    else:
        # A server of one's own is called at the mock's port.
        url = plan["each"]["url"]
        commands = [
            f"facematch mock --vendor {vendor} --port 8089 {record} --upstream {url} &",
            f"FIRST_CALLS_URL=http://127.0.0.1:8089 {runner}",
        ]
    compared = f"{comparison_with(vendor)}{published_answers_of(vendor)}"
    lines = [compared, "", head, "", "```sh", *commands, "```"]
    return "\n".join(lines)


def comparison_with(vendor: str) -> str:
    """Return the paragraph that says when the mock was compared with the vendor."""
    claims = f"../../mock_server/facematch_mock_server/vendors/{vendor}/claims.py"
    mock = f"The mock ([claims]({claims}))"
    comparison = latest_comparison(vendor)
    if comparison is None:
        return f"{mock} was **never** compared with the vendor."
    server = "" if comparison.image is None else f", the image `{comparison.image}`"
    if comparison.software is not None:
        server = f", `{comparison.software}` with stand-ins for {comparison.stand_ins}"
    return (
        f"{mock} of facematch {comparison.mock} was compared with the vendor{server}: on "
        f"**{comparison.date}**. Of {comparison.exchanges} exchanges, {comparison.alike} were "
        f"alike, {comparison.different} different ([report]({comparison.report}))."
    )


def recorded_answers() -> list[dict[str, Any]]:
    """Return the counts of answers that others published: each batch of a vendor's."""
    rows: list[dict[str, Any]] = tomllib.loads(COMPARED.read_text("utf-8"))["recorded"]
    return rows


def published_answers_of(vendor: str) -> str:
    """Return the sentences about a vendor's published answers; empty if there are none."""
    sentences = ""
    for row in recorded_answers():
        if row["vendor"] != vendor:
            continue
        number = row["answers"] - row["not_imitated"]
        if row["batch"] == 1:
            sentences += (
                f" At the first comparison with [answers that others published]"
                f"(reference.md#published-answers), on {row['judged']}, it was alike with "
                f"{row['first']} of {number}; since then mended by them, with {row['now']}."
            )
        else:
            sentences += f" Of {number} that came later it was alike with {row['first']}."
    return sentences


def table_of_recorded() -> str:
    """Return the table of the answers that others published, by vendor and batch."""
    titles = ("Backend", "Batch", "Answers", "By", "Lacked calls", "Alike at first", "Now")
    rows = [cells(*titles), "|---" * len(titles) + "|"]
    for row in recorded_answers():
        number = row["answers"] - row["not_imitated"]
        alike = (f"{row['first']} of {number}", f"{row['now']} of {number}")
        lacked = str(row["not_imitated"] or "-")
        counts = (str(row["batch"]), str(row["answers"]), row["by"], lacked, *alike)
        rows.append(cells(link_to(row["vendor"]), *counts))
    return "\n".join(rows)


def table_of_differences() -> str:
    """Return the table of the differences from published answers that stay."""
    explained = tomllib.loads(EXPLAINED.read_text("utf-8"))
    rows = [cells("Backend", "Call", "Where", "Why"), "|---" * 4 + "|"]
    for vendor, lacked in explained.pop("not_imitated").items():
        rows += [cells(link_to(vendor), call, "-", "The mock lacks this call.") for call in lacked]
    for vendor, calls in explained.items():
        for call, lines in calls.items():
            places: dict[str, list[str]] = {}
            for line, why in lines.items():
                places.setdefault(why, []).append(f"`{line.partition(' ')[2]}`")
            for why, its_places in places.items():
                rows.append(cells(link_to(vendor), call, ", ".join(its_places), why))
    return "\n".join(rows)


def day_of_comparison(backend: str) -> str:
    """Return the day on which the backend's mock was compared with the vendor."""
    if backend not in vendor_names():
        return "-"
    comparison = latest_comparison(backend)
    return "never" if comparison is None else f"[{comparison.date}]({comparison.report})"


def table_of_limits() -> str:
    """Return the table of the limits of pictures and calls, without backends that have none."""
    rows = [cells("Backend", "Bytes, at most", "Sides", "Calls"), "|---|---|---|---|"]
    for name, backend in bundled_backends().items():
        features = backend.capabilities
        limits = (file_sizes_of(features), sides_of(features), rates_of(features) or "-")
        if set(limits) != {"-"}:
            rows.append(cells(link_to(name), *limits))
    return "\n".join(rows)


def link_to(name: str) -> str:
    """Return a link to the page of a backend."""
    return f"[`{name}`]({name}.md)"


def yes_or_no(is_so: bool) -> str:
    """Return the word for a truth value."""
    return "yes" if is_so else "no"


def names_of(members: frozenset[str]) -> str:
    """Return members of an enumeration, sorted."""
    return ", ".join(sorted(str(member) for member in members))


def sessions_of(backend: type[Backend]) -> str:
    """Return the checks of a backend's hosted sessions."""
    features = backend.session_capabilities
    return "no" if features is None else names_of(features.checks)


def charged_operations_of(backend: type[Backend]) -> frozenset[Operation]:
    """Return the operations of a backend that may cost money.

    Each start of a hosted session counts as one charge.
    """
    billed = backend.capabilities.billed_operations
    return billed if backend.session_capabilities is None else billed | {Operation.SESSION}


def rule_of(backend: type[Backend]) -> str:
    """Return what decides a comparison for which the caller sets no threshold."""
    features = backend.capabilities
    if Operation.MATCH not in features.operations:
        return "-"
    word = WORDS_OF_RULES.get(features.threshold_rule)
    if issubclass(backend, PairBackend) and backend.match_answer.cut is not None:
        return f"{word} the answer's own threshold"
    if features.default_threshold is None:
        return "the vendor's verdict"
    return f"{word} {features.default_threshold:g}"


def file_sizes_of(features: Capabilities) -> str:
    """Return the limits of a file's size."""
    limits = features.image_limits
    if limits.max_bytes is None:
        return "-"
    size = f"{limits.max_bytes:,}"
    # A limit with a source of its own is not the vendor's.
    return size if limits.max_bytes_from is None else f"{size} (ours)"


def sides_of(features: Capabilities) -> str:
    """Return the limits of a picture's sides."""
    limits = features.image_limits
    parts = []
    if limits.min_side_px > 1:
        parts.append(f"from {limits.min_side_px} px")
    if limits.max_side_px is not None:
        parts.append(f"to {limits.max_side_px} px")
    return " ".join(parts) or "-"


def rates_of(features: Capabilities) -> str:
    """Return the published rate limits."""
    return ", ".join(f"{window.limit} in {window.seconds:g} s" for window in features.rate_windows)
