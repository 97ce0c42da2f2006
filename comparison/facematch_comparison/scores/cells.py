"""Read the cells of a column as words or as numbers.

Cells are as their source has them, text or numbers (`files`), or words already, if files were
joined.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute as pc

from .source_table import REPORTED_SEPARATELY, Problem, problems_where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source_table import Ints

#: The type of columns of text.
TEXT: Final = pd.StringDtype("pyarrow")

#: Words that mean an empty cell in a column of numbers.
NO_NUMBER: Final = ("", "na", "n/a", "#n/a", "#na", "nan", "null", "none", "<na>")
#: A number with a comma that cannot separate thousands, as that of ``7,625`` can.
_DECIMAL_COMMA: Final = r"[-+]?(0?,[0-9]+|[0-9]*,([0-9]{1,2}|[0-9]{4,}))"
NUMBER: Final = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"

#: A number with a unit after it, and a number without one.
_WITH_UNIT: Final = "([-+0-9.,]*[0-9.,])[ \xa0\u202f]*(%|pts?[.]?|points?|percent|pct)"
_NO_UNIT: Final = r"[-+]?[0-9.,]*[0-9]([eE][-+]?[0-9]+)?"

#: A number with apostrophes between the thousands: ``7'123.40``.
_SWISS: Final = "[-+]?[1-9][0-9]{0,2}(['\u2019][0-9]{3})+([.,][0-9]+)?"

#: Advice for a cell without a number in a column of numbers.
NUMBER_ADVICE: Final = (
    "write a number such as 94.5, or leave it empty; put errors in a column error"
)


def words_of(cells: pd.Series) -> pd.Categorical:
    """Return cells as trimmed words, in order of first appearance; an empty cell has no word."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        words: pd.Categorical = cells.array
        return words
    codes, words = _codes_and_words(cells)
    return pd.Categorical.from_codes(codes, words, validate=False)


def _codes_and_words(cells: pd.Series) -> tuple[Ints, pd.Index]:
    codes, values = pd.factorize(cells)
    words = _as_words(values)
    if words is not values:
        # Trimmed values may be equal or empty.
        code_of_value, words = pd.factorize(words)
        codes = np.append(code_of_value, -1)[codes]
    return codes, pd.Index(words)


@attrs.frozen
class Spellings:
    """Reads the spellings of a name as one word: the first of them.

    Attributes:
        ignores_case: Whether ``Rosa`` and ``rosa`` are one name. How an accent is stored, as one
            character or two, never matters.
        merged: The spellings of each name that has several; the first one is kept.
    """

    ignores_case: bool
    merged: list[list[str]] = attrs.field(factory=list)

    def merge(self, codes: Ints, words: pd.Index) -> tuple[Ints, pd.Index]:
        """Return codes of words, and the words, in which every name has one spelling."""
        if pd.api.types.is_integer_dtype(words.dtype):
            return codes, words
        texts = pa.array(words.astype(TEXT))
        is_ascii = pc.all(pc.string_is_ascii(texts)).as_py()
        if is_ascii and not self.ignores_case:
            return codes, words
        spellings = list(map(str, words.tolist()))
        # A million names: the C function alone is three times as fast.
        names = list(map(str.casefold if is_ascii else self._name_of, spellings))
        if len(set(names)) == len(names):
            return codes, words
        spellings_of_name: dict[str, list[str]] = {}
        for spelling, name in zip(spellings, names, strict=True):
            spellings_of_name.setdefault(name, []).append(spelling)
        self.merged.extend(several for several in spellings_of_name.values() if len(several) > 1)
        code_of_word = pd.factorize(np.array(names, object))[0]
        kept = words.take(first_rows(code_of_word))
        return np.append(code_of_word, -1)[codes], kept

    def _name_of(self, spelling: str) -> str:
        name = unicodedata.normalize("NFC", spelling)
        if self.ignores_case:
            name = unicodedata.normalize("NFC", name.casefold())
        return name


def note_of_spellings(merged: Sequence[Sequence[str]]) -> str:
    """Return the note that spellings were read as one name; it lists the first few names."""
    texts = []
    for kept, *others in merged[:REPORTED_SEPARATELY]:
        also = " and ".join(repr(other[:60]) for other in others[:REPORTED_SEPARATELY])
        texts.append(f"{kept[:60]!r} is also {also}")
    more_count = len(merged) - len(texts)
    if more_count:
        texts.append(f"and {more_count:,} more")
    return (
        "names that differ only in capitals, or in how an accent is stored, are one: "
        f"{'; '.join(texts)}"
    )


def common_words(
    columns: Sequence[pd.Series], *, is_sorted: bool = False, spellings: Spellings | None = None
) -> list[pd.Categorical]:
    """Return the words of several columns, with the same categories; sorted if `is_sorted`.

    `spellings`, if given, reads the spellings of a name as one word.
    """
    if all(column.dtype == TEXT for column in columns):
        codes, words = _codes_and_words(pd.concat(columns))
    else:
        below = words_below_another(list(map(words_of, columns)))
        codes, words = below.codes, below.categories
    if spellings is not None:
        codes, words = spellings.merge(codes, words)
    if is_sorted:
        order = words.argsort()
        codes = np.append(first_rows(order), -1)[codes]  # the inverse of `order`
        words = words.take(order)
    # The only place that hashes all words: pandas checks that categories are unique.
    whole = pd.Categorical.from_codes(codes, words, validate=False)
    ends = np.cumsum([len(column) for column in columns])
    return [whole[end - len(column) : end] for column, end in zip(columns, ends, strict=True)]


def words_below_another(columns: Sequence[pd.Categorical]) -> pd.Categorical:
    """Return the words of several columns as one column."""
    distinct = [column.categories for column in columns if len(column.categories)]
    types = {words.dtype for words in distinct}
    if len(types) > 1 and not all(map(pd.api.types.is_integer_dtype, types)):
        distinct = [words.astype(TEXT) for words in distinct]
    no_words = pd.Index([], dtype=distinct[0].dtype if distinct else TEXT)
    common_codes, common_distinct = pd.factorize(no_words.append(distinct))
    codes = []
    start = 0
    for column in columns:
        end = start + len(column.categories)
        codes.append(np.append(common_codes[start:end], -1).astype(np.int32)[column.codes])
        start = end
    return pd.Categorical.from_codes(np.concatenate(codes), common_distinct, validate=False)


def _as_words(values: Any) -> Any:
    """Return distinct values as whole numbers or as trimmed texts, NA for an empty one.

    Numbers without decimal places have no point: workbooks store ids as floats.
    """
    if pd.api.types.is_bool_dtype(values.dtype):
        return pd.array([str(value).lower() for value in values], dtype=TEXT)
    if pd.api.types.is_integer_dtype(values.dtype):
        return values
    if pd.api.types.is_float_dtype(values.dtype):
        numbers = np.asarray(values, np.float64)
        if (numbers % 1 == 0).all() and np.abs(numbers).max(initial=0) < 2**63:
            return numbers.astype(np.int64)
        return pd.array([str(value).removesuffix(".0") for value in values], dtype=TEXT)
    texts = pd.Series(values, dtype=TEXT).str.strip()
    if (texts == values).all() and not (texts == "").any():
        return values
    return texts.mask(texts == "").array


def constant(word: str, count: int) -> pd.Categorical:
    """Return the same word in each of `count` rows."""
    return pd.Categorical.from_codes(np.zeros(count, np.int8), pd.Index([word], dtype=TEXT))


def word_at(words: pd.Categorical, row: Any) -> str:
    """Return the word in a row; "" for an empty cell."""
    code = words.codes[row]
    return str(words.categories[code]) if code >= 0 else ""


def distinct_words(words: pd.Categorical) -> list[str]:
    """Return the distinct words, by code."""
    return list(map(str, words.categories.tolist()))


def texts_of(words: pd.Categorical) -> NDArray[np.object_]:
    """Return the word of each row, "" for an empty cell: object, (N,)."""
    texts = np.array([*distinct_words(words), ""], object)
    return np.asarray(texts[words.codes])


def is_one_of(words: pd.Categorical, sought_words: Iterable[str]) -> NDArray[np.bool_]:
    """Return whether each row has one of the words: bool, (N,)."""
    sought = set(sought_words)
    codes = [code for code, word in enumerate(distinct_words(words)) if word in sought]
    return np.isin(words.codes, codes)


def codes_of(words: pd.Categorical) -> Ints:
    """Return the codes as int32, (N,): sums of smaller types, which pandas chooses, overflow."""
    return np.asarray(words.codes, np.int32)


def is_filled(words: pd.Categorical) -> NDArray[np.bool_]:
    """Return whether each cell has a word: bool, (N,)."""
    return np.asarray(words.codes >= 0)


def problems_of_words(
    words: pd.Categorical, column: str, is_valid: Callable[[str], object], advice: str
) -> Iterator[Problem]:
    """Yield a problem for each invalid word, or a single problem if there are many."""
    distinct = distinct_words(words)
    invalid = [code for code, word in enumerate(distinct) if not is_valid(word)]
    reported = [[code] for code in invalid]
    if len(invalid) > REPORTED_SEPARATELY:
        reported = [invalid]
    for codes in reported:
        text = f"{column} is {distinct[min(codes)][:60]!r}; {advice}"
        yield from problems_where(np.isin(words.codes, codes), text)


def problems_of_empty_cells(words: pd.Categorical, column: str) -> Iterator[Problem]:
    """Yield a problem with the rows whose cell is empty, if there are any."""
    return problems_where(~is_filled(words), f"{column} is empty")


def words_beside(cells: pd.Series, numbers: NDArray[np.float64]) -> set[str]:
    """Return the words in a column whose cells are read as `numbers`."""
    is_word = np.isinf(numbers)
    if not is_word.any():
        return set()
    words = words_of(cells)
    return {str(words.categories[code]) for code in np.unique(words.codes[is_word])}


def forget_unused_words(cells: pd.DataFrame) -> None:
    """Reduce the words of each column to those in its rows, in order of first appearance."""
    for name, column in cells.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, used = pd.factorize(column)
            words = used.categories.take(used.codes)
            cells[name] = pd.Categorical.from_codes(codes, words, validate=False)


def first_rows(keys: Ints, rows: Ints | None = None, *, size: int = 0) -> Ints:
    """Return the first row of each key, among `rows` if given; -1 for a key without a row."""
    first_row_of_key = np.full(size or int(keys.max(initial=-1)) + 1, -1, np.int32)
    # Of several assignments to one element, the last holds: assign the rows backwards.
    if rows is None:
        first_row_of_key[keys[::-1]] = np.arange(len(keys), dtype=np.int32)[::-1]
    else:
        first_row_of_key[keys[rows][::-1]] = rows[::-1]
    return first_row_of_key


def number_pairs(ends: Sequence[Ints], *, in_any_order: bool) -> Ints:
    """Number the rows whose ends, the codes of words, are equal; an empty end is equal, too.

    In order of first appearance, from 0. A row may have one end only, the id of its pair.
    """
    parts = [end.astype(np.int64) + 1 for end in ends]
    if in_any_order and len(parts) == 2:
        parts = [np.minimum(*parts), np.maximum(*parts)]
    keys = parts[0]
    for part in parts[1:]:
        keys = keys * (int(part.max(initial=0)) + 1) + part
    return np.asarray(pd.factorize(keys)[0], np.int64)


def numbers_of(cells: pd.Series, *, decimal_commas: bool) -> NDArray[np.float64]:
    """Return cells as float64, (N,): NaN for empty cells, infinity for those without a number."""
    numbers: NDArray[np.float64]
    if cells.dtype != TEXT:
        numbers = cells.to_numpy(np.float64, na_value=np.nan)
        return np.asarray(np.where(np.isinf(numbers), np.inf, numbers))
    with contextlib.suppress(ValueError):
        # With other types, pandas 2.2 rounds the last digit in another way.
        numbers = cells.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        if not np.isinf(numbers).any():
            return numbers
    words = words_of(cells)
    numbers = _numbers_of_texts(pd.Series(words.categories, dtype=TEXT), decimal_commas)
    return np.asarray(np.append(numbers, np.nan)[words.codes])


def _numbers_of_texts(texts: pd.Series, decimal_commas: bool) -> NDArray[np.float64]:
    """Return texts as numbers: NaN for an empty cell, infinity for an invalid number.

    ``94.5 %`` and ``94.5 pts`` are 94.5, if all numbers of the column have the unit.
    """
    if not texts.str.fullmatch(_NO_UNIT).any():
        units = texts.str.extract(f"^{_WITH_UNIT}$")
        if len(set(units[1].dropna())) == 1:
            texts = units[0].fillna(texts)
    swiss = texts.str.replace("['\u2019]", "", regex=True)
    texts = texts.mask(texts.str.fullmatch(_SWISS), swiss)
    texts = _without_thousands(texts, ",", ".", decimal_commas)
    # In quotes, a spreadsheet writes them between commas, too.
    if decimal_commas or texts.str.fullmatch(_DECIMAL_COMMA).any():
        texts = _without_thousands(texts, ".", ",", decimal_commas)
        # A word may have a point: ``k.A.``, ``n.d.``.
        has_point = texts.str.fullmatch(NUMBER) & texts.str.contains(".", regex=False)
        if not has_point.any():
            texts = texts.str.replace(",", ".", regex=False)
    is_number = texts.str.fullmatch(NUMBER)
    is_valid = is_number | texts.str.lower().isin(NO_NUMBER)
    numbers = texts.where(is_number).str.lstrip("+").astype("Float64")
    return np.where(is_valid, numbers.to_numpy(np.float64, na_value=np.nan), np.inf)


def _without_thousands(
    texts: pd.Series, separator: str, decimal: str, decimal_commas: bool
) -> pd.Series:
    """Remove thousands separators if a number of the column also has a decimal separator.

    Otherwise ``1,234`` may be a number between 1 and 2. Several commas in a number tell, too, as in
    the Indian ``7,12,345``, unless another comma is a decimal one; several points do not, since
    ``9.12.345`` may be a slip. Where commas separate no decimals, so do whole numbers of three
    digits beside ``1,234``: all numbers are whole.
    """
    group = f"[{separator}][0-9]"
    whole = rf"[-+]?[1-9][0-9]{{0,2}}({group}{{{2 if decimal == '.' else 3},3}})*{group}{{3}}"
    is_separated = texts.str.fullmatch(rf"{whole}([{decimal}][0-9]+)?")
    separated = texts[is_separated]
    has_both = separated.str.contains(decimal, regex=False).any()
    if separator == "," and not has_both:
        others = texts[texts.str.fullmatch(_NO_UNIT) & ~is_separated]
        if separated.str.contains(",.*,").any():
            has_both = not others.str.contains(",").any()
        elif not decimal_commas and others.str.fullmatch("[-+]?[0-9]+").all():
            has_both = others.str.fullmatch("[1-9][0-9]{2}").any()
    return texts.mask(is_separated & has_both, texts.str.replace(separator, "", regex=False))
