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

AGREES = Agreement.AGREES
DISAGREES = Agreement.DISAGREES
INCOMPLETE = Agreement.INCOMPLETE
UNKNOWN = Agreement.UNKNOWN
BORN = dt.date(1980, 1, 1)

#: By agreement, the name in the table, the name on the document, and the rule that decides.
PAIRS = {
    AGREES: [
        ("Ada Lovelace", "LOVELACE<<ADA", "fillers of a passport separate words; case and order"),
        ("Jose\u0301 Nun\u0303ez", "José Nuñez", "composed and decomposed are equal"),
        ("İbrahim I\u015f\u0131k", "IBRAHIM ISIK", "the dotless i is an i"),
        ("Michał Łukasz", "MICHAL LUKASZ", "a stroke does not count"),
        ("Jürgen Groß", "JUERGEN GROSS", "a passport's transliteration"),
        ("Søren Ågård", "SOEREN AAGAARD", "a passport's transliteration"),
        ("Guðrún Jónsdóttir", "GUDRUN JONSDOTTIR", "eth, as in a passport"),
        ("Þórður Þorkelsson", "THORDUR THORKELSSON", "thorn, as in a passport"),
        ("Đorđe Đurić", "DORDE DURIC", "a stroke does not count"),
        ("Ġorġ Ħabib", "GORG HABIB", "a stroke does not count"),
        ("Máŋŋa Ŧavvon", "MANNA TAVVON", "eng and a stroke, as in a passport"),
        ("Ægir Œllig", "AEGIR OELLIG", "two letters written as one"),
        ("María Muñoz", "MARIA MUNXXOZ", "a passport's other transliteration of ñ"),
        ("Jürgen Groß", "JUXXRGEN GROSS", "a passport's other transliteration of ü"),
        ("Søren Ågård", "Soren Agard", "accents and strokes do not count"),
        ("\U0001d400da Lovelace", "Ada Lovelace", "a mathematical letter is a letter"),
        ("Anne-Marie Dupont", "Marie Dupont", "hyphens separate, the shorter is in the longer"),
        ("Sinéad O'Connor", "SINEAD O CONNOR", "apostrophes separate words"),
        ("Sinéad O\u2019Connor", "SINEAD OCONNOR", "or are left out, as in a passport"),
        ("Carmen Española", "Carmen Española Española", "one of two surnames"),
        ("María de la Cruz", "Cruz, Maria", "the shorter is in the longer"),
        ("Maria J. Smith", "Maria Smith", "an initial may be left out"),
        ("Ramesh s/o Suresh Kumar", "Ramesh Kumar", "a father's name left out"),
        ("Иван Петров", "ПЕТРОВ ИВАН", "any script, in itself"),
        ("किरण शर्मा", "शर्मा किरण", "vowel signs belong to the word"),
        ("李 娜", "娜 李", "a Chinese letter is a word, no initial"),
    ],
    DISAGREES: [
        ("Anne-Marie Dupont", "Annemarie Dupont", "words are compared whole"),
        ("Ana García López", "Ana García Ruiz", "another second surname"),
        ("João da Silva", "Maria da Silva", "a particle alone is no name"),
        ("S. Krishnan", "Ramasamy Krishnan", "an initial of another word"),
        ("R. Krishnan Iyer", "Sami Krishnan R.", "a word that no initial fits"),
        ("R. K.", "R. K.", "initials alone are no name"),
        ("Ada Lovelace", "Ada Hopper", "one of two words"),
        ("Иван Петров", "Ivan Petrov", "no transliteration"),
        ("किरण शर्मा", "करण शर्मा", "vowel signs tell names apart"),
    ],
    INCOMPLETE: [
        ("Ramasamy Krishnan", "KRISHNAN R", "an initial never agrees"),
        ("R. S. Krishnan", "Ramasamy Krishnan", "an initial may be left out"),
        ("Maria J. Smith", "Maria Jane Smith", "an initial never agrees"),
    ],
    UNKNOWN: [("Ada Lovelace", "-", "the vendor returns no letters")],
}
#: A single word needs the same date of birth.
ONE_WORD = [("Lovelace", "Ada Lovelace"), ("李娜", "李娜")]


@pytest.mark.parametrize("agreement", PAIRS)
def test_name_agrees_by_its_words(agreement):
    for ours, theirs, rule in PAIRS[agreement]:
        for is_born in (False, True):
            assert compare_names(ours, theirs, has_same_birth_date=is_born) is agreement, rule


@pytest.mark.parametrize(("ours", "theirs"), ONE_WORD)
def test_one_word_agrees_with_the_date_of_birth(ours, theirs):
    assert compare_names(ours, theirs, has_same_birth_date=False) is INCOMPLETE
    assert compare_names(ours, theirs, has_same_birth_date=True) is AGREES


@pytest.mark.parametrize(
    ("holders", "name", "date"),
    [
        ([("Ada Lovelace", None)], AGREES, UNKNOWN),
        ([("Ada Lovelace", dt.date(1980, 1, 2))], AGREES, DISAGREES),
        ([("Lovelace", BORN)], AGREES, AGREES),
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
