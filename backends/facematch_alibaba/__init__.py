"""Backend `alibaba`: face match and liveness with Alibaba Cloud's facebody."""

from .backend import AlibabaBackend

__all__ = ["AlibabaBackend"]
