"""Backend `baidu`: face match and passive liveness with Baidu AI Cloud, face version 3."""

from .backend import BaiduBackend

__all__ = ["BaiduBackend"]
