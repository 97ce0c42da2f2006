"""Whether a person's name agrees with the name on a document."""

import datetime as dt
import unicodedata

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import facematch_core as fm
from facematch_core.backend.session_types import Agreement, DocumentHolder
from facematch_core.sessions.holders import compare_holders, compare_names

AGREES, DISAGREES = Agreement.AGREES, Agreement.DISAGREES
INCOMPLETE, UNKNOWN = Agreement.INCOMPLETE, Agreement.UNKNOWN
BORN = dt.date(1980, 1, 1)

#: The name in the table, the name on the document, the agreement without a date of birth, and with
#: the same date of birth; the rule that decides.
PAIRS = [
    ("Ada Lovelace", "Ada Lovelace", AGREES, AGREES, "two equal words"),
    ("Ada Lovelace", "LOVELACE, ADA", AGREES, AGREES, "case and order do not count"),
    ("Ada Lovelace", "LOVELACE<<ADA", AGREES, AGREES, "fillers of a passport separate words"),
    ("José Nuñez", "JOSE NUNEZ", AGREES, AGREES, "accents do not count"),
    ("Jose\u0301 Nun\u0303ez", "José Nuñez", AGREES, AGREES, "composed and decomposed are equal"),
    ("İbrahim I\u015f\u0131k", "IBRAHIM ISIK", AGREES, AGREES, "the dotless i is an i"),
    ("Michał Łukasz", "MICHAL LUKASZ", AGREES, AGREES, "a stroke does not count"),
    ("Jürgen Groß", "JUERGEN GROSS", AGREES, AGREES, "a passport's transliteration"),
    ("Søren Ågård", "SOEREN AAGAARD", AGREES, AGREES, "a passport's transliteration"),
    ("Søren Ågård", "Soren Agard", AGREES, AGREES, "accents and strokes do not count"),
    ("\U0001d400da Lovelace", "Ada Lovelace", AGREES, AGREES, "a mathematical letter is a letter"),
    ("Anne-Marie Dupont", "Anne Marie Dupont", AGREES, AGREES, "hyphens separate words"),
    ("Anne-Marie Dupont", "Marie Dupont", AGREES, AGREES, "the shorter is in the longer"),
    ("Anne-Marie Dupont", "Annemarie Dupont", DISAGREES, DISAGREES, "words are compared whole"),
    ("Sinéad O'Connor", "SINEAD O CONNOR", AGREES, AGREES, "apostrophes separate words"),
    ("Sinéad O\u2019Connor", "SINEAD OCONNOR", AGREES, AGREES, "or are left out, as in a passport"),
    ("Carmen Española", "Carmen Española Española", AGREES, AGREES, "one of two surnames"),
    ("Carmen Española Española", "Española Carmen", AGREES, AGREES, "one of two surnames"),
    ("Ana García López", "Ana García Ruiz", DISAGREES, DISAGREES, "another second surname"),
    ("Ana García López", "Eva García López", DISAGREES, DISAGREES, "a sister"),
    ("María de la Cruz", "Cruz, Maria", AGREES, AGREES, "the shorter is in the longer"),
    ("João da Silva", "Maria da Silva", DISAGREES, DISAGREES, "a particle alone is no name"),
    ("Ludwig van Beethoven", "BEETHOVEN LUDWIG VAN", AGREES, AGREES, "order does not count"),
    ("R. Krishnan", "Ramasamy Krishnan", INCOMPLETE, INCOMPLETE, "an initial never agrees"),
    ("Ramasamy Krishnan", "KRISHNAN R", INCOMPLETE, INCOMPLETE, "an initial never agrees"),
    ("S. Krishnan", "Ramasamy Krishnan", DISAGREES, DISAGREES, "an initial of another word"),
    ("R. S. Krishnan", "Ramasamy Krishnan", INCOMPLETE, INCOMPLETE, "an initial may be left out"),
    ("R. Krishnan Iyer", "Sami Krishnan R.", DISAGREES, DISAGREES, "a word that no initial fits"),
    ("R. K.", "R. K.", DISAGREES, DISAGREES, "initials alone are no name"),
    ("Maria J. Smith", "Maria Smith", AGREES, AGREES, "an initial may be left out"),
    ("Maria J. Smith", "Maria Jane Smith", INCOMPLETE, INCOMPLETE, "an initial never agrees"),
    ("Ramesh s/o Suresh Kumar", "Ramesh Kumar", AGREES, AGREES, "a father's name left out"),
    ("Suharto", "SUHARTO", INCOMPLETE, AGREES, "one word needs the date of birth"),
    ("Lovelace", "Ada Lovelace", INCOMPLETE, AGREES, "one word needs the date of birth"),
    ("Ada Lovelace", "Grace Hopper", DISAGREES, DISAGREES, "no equal word"),
    ("Ada Lovelace", "Ada Hopper", DISAGREES, DISAGREES, "one of two words"),
    ("Иван Петров", "ПЕТРОВ ИВАН", AGREES, AGREES, "any script, in itself"),
    ("Иван Петров", "Ivan Petrov", DISAGREES, DISAGREES, "no transliteration"),
    ("किरण शर्मा", "शर्मा किरण", AGREES, AGREES, "vowel signs belong to the word"),
    ("किरण शर्मा", "करण शर्मा", DISAGREES, DISAGREES, "vowel signs tell names apart"),
    ("李 娜", "娜 李", AGREES, AGREES, "a Chinese letter is a word, no initial"),
    ("李娜", "李娜", INCOMPLETE, AGREES, "one word needs the date of birth"),
    ("Ada Lovelace", "", UNKNOWN, UNKNOWN, "the vendor returns no name"),
    ("Ada Lovelace", "-", UNKNOWN, UNKNOWN, "the vendor returns no letters"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "alone", "born", "rule"), PAIRS)
def test_name_agrees_by_its_words(ours, theirs, alone, born, rule):
    assert compare_names(ours, theirs, has_same_birth_date=False) is alone, rule
    assert compare_names(ours, theirs, has_same_birth_date=True) is born, rule


@pytest.mark.parametrize(
    ("holders", "name", "date"),
    [
        ([("Ada Lovelace", BORN)], AGREES, AGREES),
        ([("Ada Lovelace", None)], AGREES, UNKNOWN),
        ([("Ada Lovelace", dt.date(1980, 1, 2))], AGREES, DISAGREES),
        ([("Lovelace", BORN)], AGREES, AGREES),
        ([("Lovelace", None)], INCOMPLETE, UNKNOWN),
        ([(None, BORN)], UNKNOWN, AGREES),
        ([], UNKNOWN, UNKNOWN),
        ([("Ada Lovelace", BORN), ("Grace Hopper", BORN)], DISAGREES, AGREES),
        ([("Ada Lovelace", BORN), (None, None)], UNKNOWN, UNKNOWN),
        ([("A. Lovelace", BORN), ("Ada Lovelace", BORN)], INCOMPLETE, AGREES),
    ],
)
def test_every_document_must_be_the_persons(holders, name, date):
    person = fm.Person(name="Ada Lovelace", date_of_birth=BORN)
    documents = [DocumentHolder(name=name, date_of_birth=born) for name, born in holders]
    agreement = compare_holders(person, documents)
    assert (agreement.name, agreement.date_of_birth) == (name, date)
    unknown = compare_holders(attrs.evolve(person, date_of_birth=None), documents)
    assert unknown.date_of_birth is UNKNOWN


WORDS = st.sampled_from(
    ["Ada", "ada", "A.", "Lovelace", "L", "O'Brien", "Ñu", "de", "Müller", "李"]
)
NAMES = st.one_of(st.text(max_size=20), st.lists(WORDS, max_size=4).map(" ".join))


@given(ours=NAMES, theirs=NAMES, is_born=st.booleans())
def test_comparison_of_names_is_symmetric(ours, theirs, is_born):
    forth = compare_names(ours, theirs, has_same_birth_date=is_born)
    assert compare_names(theirs, ours, has_same_birth_date=is_born) is forth
    alone = compare_names(ours, theirs, has_same_birth_date=False)
    assert forth is alone or (forth, alone) == (AGREES, INCOMPLETE), "a date only adds to a name"


@given(
    words=st.lists(WORDS, max_size=5), theirs=NAMES, data=st.data(),
    form=st.sampled_from(["NFC", "NFD"]), change=st.sampled_from([str.upper, str.lower, str.title]),
)  # fmt: skip
def test_order_case_and_form_of_a_name_do_not_count(words, theirs, data, form, change):
    usual = compare_names(" ".join(words), theirs, has_same_birth_date=False)
    shuffled = " ".join(data.draw(st.permutations(words)))
    other = unicodedata.normalize(form, change(shuffled))
    assert compare_names(other, theirs, has_same_birth_date=False) is usual


@given(words=st.lists(st.sampled_from(["ada", "king", "noel", "byron"]), min_size=2, unique=True))
def test_a_name_agrees_with_itself_but_not_with_a_word_replaced(words):
    assert compare_names(" ".join(words), " ".join(words), has_same_birth_date=False) is AGREES
    stranger = " ".join([*words[1:], "stranger"])
    assert compare_names(" ".join(words), stranger, has_same_birth_date=True) is DISAGREES


@pytest.mark.parametrize(
    "fields",
    [
        *({"name": name} for name in ("", " - ", None, 7, b"Ada Lovelace")),
        *({"date_of_birth": date} for date in ("1980-01-01", dt.datetime(1980, 1, 1), 1980)),
    ],
    ids=str,
)  # fmt: skip
def test_invalid_person_is_refused_without_showing_it(fields):
    with pytest.raises(fm.InvalidRequest) as caught:
        fm.Person(**{"name": "canary-name", **fields})
    frame = caught.traceback[-1].frame
    assert "canary" not in f"{caught.value} {frame.f_locals}"
    assert "canary" not in repr(fm.Person(name="canary-name", date_of_birth=BORN))
