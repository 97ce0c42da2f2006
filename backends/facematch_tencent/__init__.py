"""Backend `tencent`: face match and liveness with Tencent Cloud's IAI."""

from .backend import TencentBackend

__all__ = ["TencentBackend"]
