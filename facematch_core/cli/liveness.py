"""`facematch liveness`: is this a live face?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import _options


@click.command("liveness", short_help="Check one photograph for a live face.")
@click.argument("image", type=click.Path(), callback=_options.picture_file)
@_options.where
@_options.call
@_options.picture
@click.option("--force", is_flag=True, help="Overwrite the file of --picture.")
def command(image: Path, **given: Any) -> int:
    """Does IMAGE show a live face, and not a photograph, a screen or a mask?

    \b
    facematch liveness selfie.jpg --profile mine --threshold 80

    Not every backend can tell: `facematch backends` lists them.
    """
    from ._asking import Asked, ask

    return ask("check_liveness", [image], Asked.of(given))
