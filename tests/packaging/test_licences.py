"""The licence of each package that the extras install is known; NOTICE names the copyleft ones."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOTICE = Path(__file__).parents[2] / "NOTICE"
COPYLEFT = {
    "AGPL|Affero": "AGPL",
    "LGPL|Lesser": "LGPL-3.0",
    "GPL|General Public": "GPL",
    "MPL|Mozilla": "MPL-2.0",
}
PERMISSIVE = re.compile("MIT|BSD|Apache|Boost|PSF|Python Software|ISC|HPND|Historical|Zlib")


def installed_by(
    name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]
) -> Iterator[str]:
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    try:
        requires = distribution(name).requires or []
    except PackageNotFoundError:  # a marker that this Python meets, but that the lock leaves out
        return
    yield name
    for line in requires:
        requirement = Requirement(line)
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras | {""}
        ):
            yield from installed_by(
                canonicalize_name(requirement.name), frozenset(requirement.extras), seen
            )


def licence_of(name: str) -> str:
    about = distribution(name).metadata
    texts = {key: about[key] for key in ("License-Expression", "License") if key in about}
    classified = [
        each.rsplit(" :: ", 1)[1]
        for each in about.get_all("Classifier") or []
        if each.startswith("License :: ")
    ]
    licence = (
        texts.get("License-Expression")
        or "; ".join(classified)
        or texts.get("License")
        or "unknown"
    )
    return " ".join(licence.split())


def copyleft_of(name: str) -> str | None:
    licence = licence_of(name)
    for family, short in COPYLEFT.items():
        if re.search(family, licence):
            return short
    assert PERMISSIVE.search(licence), f"{name}: the licence {licence!r} is not known here"
    return None


def test_notice_names_each_installed_package_that_is_not_under_a_permissive_licence() -> None:
    noted = dict(
        re.findall(r"^  ([a-z0-9-]+): (\S+)", NOTICE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    installed = {*installed_by("facematch-core", frozenset({"all"}), set())} - {"facematch-core"}
    assert {"requests", "publicsuffixlist"} <= installed
    copyleft = {name: licence for name in installed if (licence := copyleft_of(name))}
    assert {name: noted.get(name) for name in copyleft} == copyleft
