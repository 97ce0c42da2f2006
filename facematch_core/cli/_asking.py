"""One call from the command line: read, ask, show, draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from . import _exit
from ._opening import Where, opened

if TYPE_CHECKING:
    from facematch_core._images import Image
    from facematch_core._verifier import FaceVerifier

    from ._show import Answer

#: What the options of a call are called here, and in `FaceVerifier`.
_PASSED = (
    "threshold",
    "review_threshold",
    "liveness_threshold",
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

    def options(self, verifier: FaceVerifier) -> dict[str, Any]:
        """Arguments for a call of `verifier`; what was not given is left out."""
        from facematch_core._enums import Retention

        from ._vendor import vendor_options

        given = self.given
        options = {name: given[name] for name in _PASSED if given.get(name) is not None}
        if given["keep"]:
            options["retention"] = Retention.KEEP
        return {
            **options,
            "rotate": given["rotate"],
            "metadata": given["metadata"] or None,
            "options": vendor_options(verifier.backend, given["vendor"]),
        }


#: Makes the call.
Ask = Callable[..., "Answer"]


def ask(call: Ask, pictures: Sequence[Path], asked: Asked) -> int:
    """Make one call, print its result, draw it if wished. Returns the exit code.

    Args:
        call: Called with the verifier, the pictures, and the options by name.
        pictures: The files.
        asked: The rest.
    """
    from facematch_core._images import Image

    from ._show import show

    target = asked.given["picture"]
    if target is not None:
        # Before anything is sent: what was paid for is also to be drawn.
        _check_target(target, pictures)
    images = [Image.read(path) for path in pictures]
    with opened(asked.where) as verifier:
        result = call(verifier, *images, **asked.options(verifier))
    show(result, as_json=asked.given["as_json"])
    if target is not None:
        _draw(target, result, images)
    return _exit.DECISIONS[result.decision.value]


def _check_target(target: Path, pictures: Sequence[Path]) -> None:
    if target.suffix.lower() != ".png":
        raise click.UsageError(f"--picture writes PNG: name it {target.stem}.png.")
    if not target.absolute().parent.is_dir():
        raise click.UsageError(f"--picture: there is no folder {target.parent}.")
    if any(target.exists() and path.exists() and target.samefile(path) for path in pictures):
        raise click.UsageError("--picture would overwrite a picture that it is drawn from.")


def _draw(target: Path, result: Answer, images: Sequence[Image]) -> None:
    from ._drawing import draw, png
    from ._files import write

    write(target, png(draw(result, *(image.to_pil() for image in images))))
