"""Embeddings of one index as one matrix, so that a search is one product. In memory only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FIRST_ROWS = 64


class Vectors:
    """Rows by id, in no order. Not safe across threads."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, face_id: object) -> bool:
        return face_id in self._rows

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("embeddings are biometric data and can be neither pickled nor copied")

    def add(self, face_id: str, vector: Any) -> None:
        """Add a row, or replace the one of that id."""
        import numpy as np  # not above: only an engine that measures makes vectors

        row = self._rows.get(face_id, len(self._ids))
        if self._matrix is None:
            self._matrix = np.empty((_FIRST_ROWS, len(vector)))
        elif row == len(self._matrix):
            # Twice as many each time: a row is moved once or twice in all.
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[row] = vector
        if row == len(self._ids):
            self._ids.append(face_id)
        self._rows[face_id] = row

    def remove(self, face_id: str) -> None:
        """Take a row away; does nothing if there is none."""
        row = self._rows.pop(face_id, None)
        if row is None or self._matrix is None:
            return
        last = self._ids.pop()
        if last != face_id:
            self._matrix[row] = self._matrix[len(self._ids)]
            self._ids[row] = last
            self._rows[last] = row
        # Nothing of a face that is forgotten stays behind.
        self._matrix[len(self._ids)] = 0

    def all(self) -> tuple[list[str], Any]:
        """The ids, and the matrix with a row for each; both are good until the next change."""
        return self._ids, None if self._matrix is None else self._matrix[: len(self._ids)]
