"""One call from the command line: read, ask, show, draw."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.errors import (
    FaceMatchError,
    InvalidImage,
    UnsupportedCapability,
    UnsupportedOption,
)

from . import _exit
from ._files import check_target
from ._named import for_shells
from ._opening import Where, opened

if TYPE_CHECKING:
    from facematch_core._images import Image
    from facematch_core._interface import Verifier

    from ._show import Answer

#: What the options of a call are called here, and in `FaceVerifier`.
_PASSED = (
    "threshold",
    "review_threshold",
    "liveness_threshold",
    "max_fmr",
    "caller_ref",
)


@attrs.frozen(kw_only=True)
class Asked:
    """What a command was given beside its pictures.

    Attributes:
        where: Who is asked.
        given: The options as click read them.
    """

    where: Where
    given: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Asked:
        """Sort what click hands to a command."""
        where = Where(**{name: given[name] for name in ("backend", "profile", "config")})
        return cls(where=where, given=given)

    def options(self, verifier: Verifier) -> dict[str, Any]:
        """Arguments for a call of `verifier`; what was not given is left out."""
        from facematch_core._enums import Retention

        given = self.given
        options = {name: given[name] for name in _PASSED if given.get(name) is not None}
        if given["keep"]:
            options["retention"] = Retention.KEEP
        return {
            **options,
            "rotate": given["rotate"],
            "metadata": given["metadata"] or None,
            "options": self._own_options(verifier),
        }

    def _own_options(self, verifier: Verifier) -> Any:
        """What only one backend takes, or refuses in the words of a shell."""
        from facematch_core._enums import Retention
        from facematch_core._verifier import FaceVerifier

        from ._vendor import vendor_options

        if not isinstance(verifier, FaceVerifier):
            if self.given["vendor"]:
                raise click.UsageError(
                    "-o is an option of one backend, and this profile is a failover: name the "
                    "profile of one of its members."
                )
            return None
        backend = verifier.backend
        if self.given["keep"] and Retention.KEEP not in backend.capabilities.retention:
            raise UnsupportedOption(
                f"The backend {backend.name} cannot keep a call as a record: leave --keep out.",
                backend=backend.name,
                option="retention",
            )
        return vendor_options(backend, self.given["vendor"])

    def check(self, verifier: Verifier, options: Mapping[str, Any]) -> None:
        """Refuse now what every comparison would refuse.

        Args:
            verifier: Who would be asked.
            options: What `options` gave.

        Raises:
            InvalidRequest, UnsupportedOption, UnsupportedCapability: as `FaceVerifier.verify`.
        """
        from facematch_core import _asked
        from facematch_core._enums import Operation

        verifier._refuse(Operation.MATCH, [], _asked.Asked(**options))  # noqa: SLF001 - the command line belongs to the core


def ask(call: str, pictures: Sequence[Path], asked: Asked) -> int:
    """Make one call, print its result, draw it if wished. Returns the exit code.

    Args:
        call: Which method of the verifier, called with the pictures and the options by name.
        pictures: The files.
        asked: The rest.
    """
    from ._show import show

    target = asked.given["picture"]
    if target is not None:
        # Before anything is sent: what was paid for is also to be drawn.
        _check_target(target, pictures, force=asked.given["force"])
    elif asked.given["force"]:
        raise click.UsageError(
            "--force goes with a file that it overwrites: name one with --picture."
        )
    images = [_read(path) for path in pictures]
    with opened(asked.where) as verifier:
        try:
            result: Answer = getattr(verifier, call)(*images, **asked.options(verifier))
        except UnsupportedCapability as error:
            raise _without_alternative(error) from None
        may_rotate = _can_rotate(verifier) and not asked.given["rotate"]
    show(result, as_json=asked.given["as_json"], may_rotate=may_rotate)
    if target is not None:
        _draw(target, result, images)
    return _exit.DECISIONS[result.decision.value]


def _can_rotate(verifier: Verifier) -> bool:
    """Whether the backend, or some member of a failover, can try turned pictures."""
    members = getattr(verifier, "members", {"": verifier})
    return any(member.backend.capabilities.rotate for member in members.values())


def _read(path: Path) -> Image:
    from facematch_core._images import Image

    try:
        return Image.read(path)
    except InvalidImage as error:
        refusal = for_shells(error)
    # Raised out here: a traceback does not say the same twice.
    raise refusal


def _without_alternative(error: UnsupportedCapability) -> UnsupportedCapability:
    """The same error; it says so if no installed backend can do what was asked for."""
    from facematch_core._registry import available_backends, backend_class

    for info in available_backends():
        with contextlib.suppress(FaceMatchError):
            if info.problem is None and any(
                operation.value == error.capability
                for operation in backend_class(info.name).capabilities.operations
            ):
                return error
    return UnsupportedCapability(
        f"The backend {error.backend} has no {error.capability} call, and no backend that is "
        "installed has one.",
        backend=error.backend,
        capability=error.capability,
    )


def _check_target(target: Path, pictures: Sequence[Path], *, force: bool) -> None:
    if target.suffix.lower() != ".png":
        raise click.UsageError(f"--picture writes PNG: name it {target.stem}.png.")
    check_target("--picture", target, force=force)
    if any(target.exists() and path.exists() and target.samefile(path) for path in pictures):
        raise click.UsageError("--picture would overwrite a picture that it is drawn from.")


def _draw(target: Path, result: Answer, images: Sequence[Image]) -> None:
    from ._drawing import draw, png
    from ._files import write

    write(target, png(draw(result, *(image.to_pil() for image in images))))
