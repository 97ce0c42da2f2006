"""`facematch liveness`: check a picture for a live face."""

from __future__ import annotations

from typing import Any

import click

from .options import call_options
from .verify import make_one_call


@click.command("liveness")
@click.argument("image")
@call_options
def command(image: str, **options: Any) -> int:
    """Check whether IMAGE shows a live face, not a photograph, a screen or a mask.

    \b
    facematch liveness selfie.jpg --profile mine --threshold 80

    Not every backend supports this; `facematch doctor` lists those that do.
    """
    return make_one_call("check_liveness", [image], options)
