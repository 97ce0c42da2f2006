"""What else happens when a session comes, changes or goes."""

from __future__ import annotations

from facematch_mock_server._messages import Request
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.webhooks._announcing import announce
from facematch_mock_server.world import World

from ._records import records_of
from ._visit import origin_of


def status_updated(world: World, told: Told, request: Request, session: Session) -> None:
    """Tell the webhooks of the session's owner: a saved call, or an update of its status."""
    announce(world, told, session, origin_of(world, request))


def faces_forgotten(world: World, session: Session) -> None:
    """Take the faces of a deleted session out of the index; those on a list stay.

    Its pictures go, too, unless another session has the same ones.
    """
    records_of(world).faces.forget(session.id)
    records_of(world).pictures.forget(session.id)
