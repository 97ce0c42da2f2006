"""Doubles of the vendors for the conformance kit, with the mock server in the vendor's place.

They need pytest, as all of `facematch_core.testing` does; nothing else of the mock loads them.
"""

from ._deepvue import DeepvueDouble
from ._didit import DiditDouble

__all__ = ["DeepvueDouble", "DiditDouble"]
