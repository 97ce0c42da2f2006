"""The page of all outcomes, with those that are alike in one row."""

import collections

from kit.money.faults import NO_FAULT

TITLES = {"didit": "Didit", "deepvue": "Deepvue"}
for _vendor in ("didit", "rekognition", "azure"):
    TITLES[f"{_vendor} start"] = f"{_vendor.title()}: the start of a session"
    TITLES[f"{_vendor} read"] = f"{_vendor.title()}: a reading of a session"
HEAD = (
    "What breaks",
    "Carried out",
    "The call ends with",
    "`billed`",
    "The vendor's books",
    "The client's books",
    "Paid requests",
)


def tables(outcomes):
    vendors = dict.fromkeys(vendor for vendor, *_ in outcomes)
    return "\n\n".join(_of_vendor(vendor, outcomes) for vendor in vendors)


def _of_vendor(vendor, outcomes):
    settings = collections.defaultdict(dict)
    for (name, version, setting, case), outcome in outcomes.items():
        if name == vendor:
            settings[setting][version, case] = outcome
    groups = collections.defaultdict(list)
    for setting, ends in settings.items():
        groups[tuple(ends.items())].append(setting)
    (plain, alike), *others = ((dict(ends), names) for ends, names in groups.items())
    count = len({version for version, _ in plain})
    parts = [f"## {TITLES[vendor]}", _sentence("With", alike), _table(count, plain)]
    for ends, names in others:
        parts.append(_sentence("Differently with", names))
        parts.append(_table(count, {key: o for key, o in ends.items() if plain[key] != o}))
    return "\n\n".join(parts)


def _sentence(word, names):
    all_of_them = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return f"{word} {all_of_them}:"


def _table(count, ends):
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for (version, case), outcome in ends.items():
        rows[outcome, _carried_out(case)][case].append(version)
    lines = [HEAD, ("---",) * len(HEAD)]
    if len(set(ends.values())) == 1:
        outcome = next(iter(ends.values()))
        rows = {}
        cells = ("whatever breaks", "no", _end(outcome), outcome.billed)
        lines.append((*cells, *_numbers(outcome)))
    for (outcome, carried_out), cases in rows.items():
        cells = (_named(count, cases), carried_out, _end(outcome), outcome.billed)
        lines.append((*cells, *_numbers(outcome)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _carried_out(case):
    if case.stage in ("mid_headers", "mid_body", NO_FAULT.stage):
        return "yes"
    return "yes" if case.more.get("executed") else "no"


def _end(outcome):
    return f"a result ({outcome.error})" if outcome.error.isupper() else f"`{outcome.error}`"


def _numbers(outcome):
    counted = [
        " and ".join(f"{n} {word}" for word, n in collections.Counter(words.split()).items())
        or "nothing"
        for words in outcome.counted
    ]
    both = zip(map(str, outcome.charges), counted, map(str, outcome.requests), strict=True)
    first, second = both
    if outcome.requests[1] == 0:
        return first
    return tuple(f"{number}, then {other}" for number, other in zip(first, second, strict=True))


def _named(count, cases):
    """Everything that breaks in this row, by stage and kind; the vendor has so many versions."""
    stages = collections.defaultdict(lambda: collections.defaultdict(list))
    for case, versions in cases.items():
        kinds = stages[case.stage.replace("_", " ")][case.kind.replace("_", " ")]
        only = "" if len(versions) == count else f" ({', '.join(versions)})"
        kinds.append(f"{case.more.get('status', '')}{only}".strip())
    return "; ".join(
        f"{stage}: " + ", ".join(_kind(kind, words) for kind, words in kinds.items())
        if any(kinds)
        else stage
        for stage, kinds in stages.items()
    )


def _kind(kind, words):
    return " ".join([kind, *filter(None, ["/".join(dict.fromkeys(filter(None, words)))])])
