"""The report of a comparison: one HTML file for a browser, one table for the terminal.

`Comparison` holds the numbers, `write_comparison` makes the file (extra ``[report]``), `comparison_table` the table.
"""

from __future__ import annotations

from qmf.report.contents import Comparison, Condition, Distrusted
from qmf.report.dependencies import require_report_packages
from qmf.report.page import render_comparison, write_comparison
from qmf.report.terminal import comparison_table

__all__ = [
    "Comparison",
    "Condition",
    "Distrusted",
    "comparison_table",
    "render_comparison",
    "require_report_packages",
    "write_comparison",
]
