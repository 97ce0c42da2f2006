"""How to sign a request with another key, by the vendors that want a signature."""

from __future__ import annotations

from .alibaba import signature as alibaba
from .rekognition import signature as rekognition
from .sumsub import signature as sumsub
from .tencent import signature as tencent
from .veriff import signature as veriff

#: Functions that return a request with the id ``client`` of a key and the signature of ``secret``.
SIGNERS = {
    "alibaba": alibaba.sign_again,
    "rekognition": rekognition.sign_again,
    "sumsub": sumsub.sign_again,
    "tencent": tencent.sign_again,
    "veriff": veriff.sign_again,
}
