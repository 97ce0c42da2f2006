"""What the erasures of checks and of sessions have in common: the evidence, and who is unable."""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata
from typing import Any, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import Deletion, DeletionState, Erased
from facematch_core.store.table import StoreTable


class WithoutBackend(errors.ConfigurationError):
    """A store was opened without the backend of a row."""


#: The errors of a vendor that refuses the key: it answers, and will not delete anything.
REFUSALS: Final = (errors.AuthenticationFailed, errors.PermissionDenied)


def check_gone(vendor: object, known: Collection[str]) -> None:
    """Raise `InvalidRequest` if `vendor` is neither an installed backend nor one of `known`."""
    installed = {point.name for point in metadata.entry_points(group="facematch.backends")}
    if not isinstance(vendor, str) or vendor not in installed.union(known):
        raise errors.InvalidRequest(
            f"vendor_is_gone={vendor!r:.60} is no backend of this store or of these records, which "
            f"are {', '.join(sorted(known))}. Nothing was deleted."
        )


def with_kept_face(table: StoreTable[Any], row: Any, deletion: Deletion) -> Deletion:
    """Return a deletion of a row at the vendor, which knows of a face that an earlier one left.

    Another call finds nothing any longer, and the face stays, so the row remembers it.
    """
    if deletion.face_kept:
        table.database.run_or_postpone(
            lambda connection: table.rows.update(
                connection, table.columns.id == row.id, face_kept=True
            )
        )
    elif row.face_kept and deletion.state is DeletionState.NOT_THERE:
        return attrs.evolve(deletion, face_kept=True)
    return deletion


def end_with_answer(erased: Erased, deletion: Deletion) -> Erased:
    """Return the evidence of a record with the vendor's answer; it stays if that comes later."""
    return attrs.evolve(
        erased,
        state=deletion.state,
        vendor_word=deletion.vendor_word,
        is_done_here=deletion.state is not DeletionState.REQUESTED,
        face_is_gone=deletion.face_is_gone,
        reason=_reason_to_stay(deletion),
    )


def end_without_vendor(erased: Erased, error: errors.FaceMatchError, *, is_gone: bool) -> Erased:
    """Return the evidence of a record of which an error kept the vendor from deleting anything.

    It is done here only if the vendor `is_gone`, as the caller says, and its backend is not
    configured or refuses the key: a vendor that fails for a while still has the face.
    """
    # Without the error's message, which may quote the vendor.
    reason = f"it was not deleted at the vendor: {type(error).__name__}"
    if isinstance(error, WithoutBackend):
        reason = "this store was opened without its backend"
    is_ended = is_gone and isinstance(error, (WithoutBackend, *REFUSALS))
    if is_ended:
        reason = f"you said that its vendor is gone, and {reason}"
    return attrs.evolve(erased, is_done_here=is_ended, reason=reason)


def _reason_to_stay(deletion: Deletion) -> str | None:
    """Return why the face may stay at a vendor that was asked to delete it."""
    if deletion.face_kept:
        return "the vendor keeps the face, perhaps as a template: ask it to delete that"
    if deletion.state is DeletionState.REQUESTED:
        return "the vendor deletes it later"
    if deletion.state is DeletionState.VANISHES:
        return "the vendor takes no request, and deletes it by itself"
    return None
