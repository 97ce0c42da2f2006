"""The report: one page that a buyer understands, in one file without a request.

`report_html` gives it, `write_report` writes it, and `fragment` is its beginning for a notebook.
"""

from .page import fragment, report_html, write_report

__all__ = ["fragment", "report_html", "write_report"]
