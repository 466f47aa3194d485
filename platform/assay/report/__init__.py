"""Result files become a leaderboard: a table in the terminal and one self-contained HTML page."""

from assay.report.leaderboard import Row, leaderboard
from assay.report.page import build
from assay.report.terminal import terminal_table

__all__ = ["Row", "build", "leaderboard", "terminal_table"]
