"""The report: a self-contained HTML page for buyers."""

from .page import report_html, write_report

__all__ = ["report_html", "write_report"]
