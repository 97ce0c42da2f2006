"""The identities on test cards: what a vendor reads from the document of a card's person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from facematch_mock_server.recognition.cards import GENDERS, fraction

# All of it is made up and says so, so that nobody takes it for a real person's.
_FIRST_NAMES = ("Alba", "Bruno", "Cleo", "Dario", "Edda", "Felix", "Greta", "Hugo", "Ines", "Karl")
_LAST_NAMES = ("Sample", "Specimen", "Example", "Testcard")
#: The countries of the cards' persons: ISO 3166-1 alpha-3 and the name, by alpha-2.
_ALPHA_3: Final[Mapping[str, str]] = {"DE": "DEU", "ES": "ESP", "GB": "GBR", "US": "USA"}
_NAMES: Final[Mapping[str, str]] = {
    "DE": "Germany",
    "ES": "Spain",
    "GB": "United Kingdom",
    "US": "United States",
}
_FIRST_BIRTHDAY = dt.date(1960, 1, 1)
_BIRTHDAYS = 40 * 365
_FIRST_ISSUE = dt.date(2025, 1, 1)
_DAYS_OF_ISSUE = 365
_VALID_DAYS = 10 * 365


def make_identity(person: str) -> dict[str, str]:
    """Return the values on the document of a card's person, the same each time.

    The names are the mock's. The document's number has a form that no country uses.
    """
    first_name = _choose("first name", person, _FIRST_NAMES)
    last_name = _choose("last name", person, _LAST_NAMES)
    birthday = _FIRST_BIRTHDAY + dt.timedelta(days=int(fraction("birth", person) * _BIRTHDAYS))
    issued_on = _FIRST_ISSUE + dt.timedelta(days=int(fraction("issue", person) * _DAYS_OF_ISSUE))
    number = int(fraction("number", person) * 10_000)
    country = _choose("country", person, tuple(_ALPHA_3))
    return {
        "full_name": f"{first_name} {last_name}",
        "first_name": first_name,
        "last_name": last_name,
        "date_of_birth": birthday.isoformat(),
        # That of the person's face, unless a card sets another one.
        "gender": GENDERS[int(fraction("gender", person, "0") * len(GENDERS))],
        "nationality": country,
        "document_number": f"MOCK-{number:04}",
        "issuing_country": country,
        "date_of_issue": issued_on.isoformat(),
        "expiration_date": (issued_on + dt.timedelta(days=_VALID_DAYS)).isoformat(),
        "street": f"{number % 100 + 1} Sample Street",
        "city": "Sampletown",
        "postal_code": f"0{number:04}",
    }


def alpha_3(country: str) -> str:
    """Return the three letters of a card's country; another text as it is."""
    return _ALPHA_3.get(country, country)


def name_of_country(country: str) -> str | None:
    """Return the name of a card's country; None for another text."""
    return _NAMES.get(country)


def _choose(what: str, person: str, choices: tuple[str, ...]) -> str:
    return choices[int(fraction(what, person) * len(choices))]
