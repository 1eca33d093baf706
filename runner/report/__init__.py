"""What became of a run: folded from the ledger, written as json, csv, markdown, html or junit, summed up in words."""

from runner.report.fold import Report, ReportError, Row, Source, fold, outcome_of
from runner.report.save import FORMATS, Format, ReportUnwritable, check_place, json_schema, save, save_all, write
from runner.report.terminal import summary
from runner.report.words import next_command, verdict_sentence

__all__ = [
    "FORMATS",
    "Format",
    "Report",
    "ReportError",
    "ReportUnwritable",
    "Row",
    "Source",
    "check_place",
    "fold",
    "json_schema",
    "next_command",
    "outcome_of",
    "save",
    "save_all",
    "summary",
    "verdict_sentence",
    "write",
]
