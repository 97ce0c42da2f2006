"""The report: one page that a buyer understands, in one file without a request.

`report_html` gives it, `write_report` writes it, `fragment` is its beginning for a notebook, and
`gallery_html` shows pairs that a system got wrong, with their pictures.
"""

from .page import fragment, gallery_html, report_html, write_report

__all__ = ["fragment", "gallery_html", "report_html", "write_report"]
