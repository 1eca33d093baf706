"""The report's formats: what each shows, and that nothing from a plan or a provider can break out of it."""

import csv
import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reporting import RUN, Records, fold, hostile, item, mixed, text

from runner import report
from runner.errors import InputError
from runner.model import Fault, State


def shown(made, **options):
    """The summary as it reaches something that is no terminal."""
    stream = io.StringIO()
    report.summary(made, stream, **options)
    return stream.getvalue()


def test_json_has_one_row_a_line():
    """The JSON report can be read as a document and with line tools."""
    page = text(mixed(), "json")
    assert len([line for line in page.splitlines() if line.startswith('{"number"')]) == 5
    assert json.loads(page)["schema"] == "teardown.report/1"


def test_json_of_more_rows_than_a_batch_is_whole():
    """Rows that are written in several batches make one document."""
    written = json.loads(text(fold(*[item()] * 1201), "json"))
    assert len(written["numbers"]) == 1201


def test_json_without_rows_is_a_document():
    """A run without items still gives valid JSON."""
    assert json.loads(text(fold(), "json"))["numbers"] == []


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_keeps_any_text(value):
    """Text passes through as it is."""
    made = fold(item(target=value, before={"name": value}))
    assert json.loads(text(made, "json"))["numbers"][0]["before"] == {"name": value}


def test_csv_has_a_row_per_number():
    """The CSV flattens the error and leaves numbers as they are."""
    rows = list(csv.DictReader(io.StringIO(text(mixed(), "csv"))))
    assert [row["outcome"] for row in rows] == ["detached", "skipped", "failed", "unknown", "pending"]
    assert rows[2] | {"number": "+14155550000", "error_code": "unexpected_answer", "http_status": "500"} == rows[2]
    assert rows[0]["error_message"] == ""
    assert rows[0]["verified"] == "false"


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\uff1d1+1", "  =1+1"])
def test_csv_is_safe_in_a_spreadsheet(cell):
    """A cell that a spreadsheet would run as a formula is written as text."""
    (row,) = csv.DictReader(io.StringIO(text(fold(item(target=cell)), "csv")))
    assert row["target"] == f"'{cell}"


@given(st.text())
def test_csv_row_is_one_harmless_line(cell):
    """Tabs, line breaks and escape sequences are spelled out, so that every number has exactly one line."""
    _, line, rest = text(fold(item(target=cell)), "csv").split("\n")
    assert line.isprintable()
    assert rest == ""
    (fields,) = csv.reader([line])
    assert not fields[3].startswith(("=", "+", "-", "@", "\t", "\r")) or cell[1:].isdigit()


def test_markdown_fits_a_ticket():
    """Verdict, counts, the command to go on and failures with their reasons are in sight; the rest is folded up."""
    page = text(mixed(), "md")
    assert page.startswith("# Teardown sales-eu: aborted\n\n**Aborted part-way: 1 of 5 numbers left to do;")
    for part in (
        "- ticket: CHG-20417",
        "\n- guards.stop_after_failures tripped\n",
        "| planned | detached | skipped | failed | unknown | pending |\n",
        "| 5 | 1 | 1 | 1 | 1 | 1 |\n",
        "| unpod-main | unpod | 5 | 5 | 1 | 2 | 5.0 | 10.0 | 55.0 |",
        "| +14155550000 | unpod-main/sales-bridge | failed | the provider answered 500 | 3 |",
        "<details><summary>Pending (1)</summary>\n\n| number |",
        f"```\nteardown resume {RUN.id} --retry-failed\n```",
    ):
        assert part in page
    assert page.index("Go on with") < page.index("## Failed and unknown (2)") < page.index("<details>")
    assert page.count("<details>") == page.count("</details>") == 4


def test_markdown_keeps_metadata_that_is_named_like_ours():
    """A plan's own "reason" stands beside the run's."""
    page = text(fold(item(), metadata={"reason": "the plan's"}, reason="the run's"), "md")
    assert "- reason: the plan's\n" in page
    assert "- reason: the run's\n" in page


def test_markdown_shows_the_first_of_many():
    """A ticket gets the first rows and how many there are."""
    page = text(mixed(25), "md")
    assert "## Failed and unknown (the first 20 of 50)" in page
    assert page.count("| failed | the provider") == 20


def test_markdown_of_a_clean_run_has_no_empty_sections():
    """Sections without rows are left out."""
    page = text(fold(item()), "md")
    assert "Pending" not in page
    assert "##" not in page
    assert "Go on" not in page


def test_markdown_cells_cannot_break_out():
    """Pipes, backticks, tags and line breaks from a plan stay inside their cell."""
    page = text(hostile(), "md")
    assert "<script>" not in page.replace("\\<", "")
    assert "\x1b" not in page
    for line in page.splitlines():
        bare = line.replace("\\|", "")
        if line.startswith("| +1415"):
            assert bare.count("|") == 6


def test_markdown_is_what_it_looks_like():
    """A renderer makes tables inside what is folded up, and no element out of what a plan says."""
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text(hostile(), "md"))
    tags = set(re.findall(r"</?([a-z0-9]+)", rendered))
    own = {"h1", "h2", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"}
    assert tags == own | {"details", "summary"}
    assert rendered.count("<table>") == 4


def test_junit_counts_and_cases():
    """A suite per account and target; failed and unknown are failures, skipped and pending are skipped.

    The attributes are those that the strictest reader knows.
    """
    root = ET.fromstring(text(fold(item(), *mixed().source.items_, item(target="b"), ending="stopped"), "junit"))  # noqa: S314 - our own
    assert root.attrib == {
        "name": "sales-eu",
        "tests": "7",
        "failures": "2",
        "errors": "0",
        "time": "2.500",
    }
    suite = {"failures": "0", "errors": "0", "skipped": "0", "timestamp": "2026-11-22T00:00:00.000Z"}
    assert [suite.attrib for suite in root] == [
        suite | {"name": "unpod-main/sales-bridge", "tests": "6", "failures": "2", "skipped": "2"},
        suite | {"name": "unpod-main/b", "tests": "1"},
    ]
    assert [failure.get("message") for failure in root.iter("failure")] == [
        "failed: the provider answered 500",
        "unknown: the provider answered 500",
    ]
    assert next(failure.text for failure in root.iter("failure")) == (
        "+14155550000 at unpod-main/sales-bridge: failed: the provider answered 500"
        " (unexpected_answer, HTTP 500, attempts: 3)"
    )
    assert [skip.get("message") for skip in root.iter("skipped")] == ["skipped: it is protected", "pending"]


def test_junit_suite_goes_on_over_batches():
    """A suite of more numbers than a batch is one suite."""
    root = ET.fromstring(text(fold(*[item()] * 1201), "junit"))  # noqa: S314 - our own
    assert [len(suite) for suite in root] == [1201]


@given(st.text())
def test_junit_is_xml_whatever_the_text(value):
    """Characters that XML cannot hold are replaced, and the rest survives."""
    made = fold(item(State.FAILED, fault=Fault("refused", value)), plan_name=value)
    root = ET.fromstring(text(made, "junit").encode("utf-8"))  # noqa: S314 - our own
    assert root.get("tests") == "1"


@pytest.mark.parametrize("ending", [".json", ".csv", ".md", ".html", ".xml", ".JSON"])
def test_save_chooses_by_the_ending(tmp_path, ending):
    """The ending chooses the format, the file is private, and nothing else is left in the folder."""
    path = tmp_path / f"report{ending}"
    report.save(mixed(), path)
    form = {".xml": "junit"}.get(ending, ending[1:].lower())
    assert path.read_text() == text(mixed(), form)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_save_takes_a_format_for_any_name(tmp_path):
    """A format that is named does not need an ending."""
    report.save(mixed(), tmp_path / "out", "csv")
    assert (tmp_path / "out").read_text() == text(mixed(), "csv")


def test_save_refuses_an_unknown_ending(tmp_path):
    """An ending that stands for nothing gets a sentence that names the five."""
    with pytest.raises(InputError, match=r"\.json, \.csv, \.md, \.html or \.xml"):
        report.save(mixed(), tmp_path / "report.pdf")


def test_save_that_fails_leaves_the_old_file(tmp_path):
    """A report that breaks off half-way replaces nothing and leaves nothing behind."""
    path = tmp_path / "report.json"
    path.write_text("old")
    source = Records([item()])
    made = report.fold(source, RUN.id)
    source.items_ = []
    with pytest.raises(report.ReportError):
        report.save(made, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing/report.json", "folder.json"])
def test_save_says_where_it_could_not_write(tmp_path, name):
    """A folder that is not there, or a folder in the way, is one sentence with the place and the mend."""
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(report.ReportError, match=r"cannot write the report there \(.+\); name a file") as caught:
        report.save(mixed(), tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_save_keeps_a_link_and_writes_its_target(tmp_path):
    """A link stays a link."""
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    report.save(mixed(), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["totals"]["planned"] == 5


def test_save_writes_through_a_pipe(tmp_path):
    """A named pipe is written to, never replaced by a file."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK)) as reader:
        report.save(mixed(), path, "csv")
        assert reader.read() == text(mixed(), "csv")
    assert path.is_fifo()


def test_save_all_reads_the_items_once(tmp_path):
    """The run's folder gets its three files from one reading of the ledger; detached.csv holds what was detached."""
    source = Records([item(), item(State.ALREADY_DETACHED), item(State.DETACHED, target="=x")])
    report.save_all(report.fold(source, RUN.id), tmp_path / "runs" / RUN.id)
    folder = tmp_path / "runs" / RUN.id
    assert {path.name for path in folder.iterdir()} == {"report.json", "report.html", "detached.csv"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert (folder / "detached.csv").read_text().splitlines() == [
        "number,account,provider,target,confirmed_by,finished_at",
        "+14155550101,unpod-main,unpod,sales-bridge,response,2026-11-22T00:00:01.000Z",
        "+14155550101,unpod-main,unpod,'=x,response,2026-11-22T00:00:01.000Z",
    ]
    assert source.readings == 1


def test_save_all_says_when_its_folder_cannot_be(tmp_path):
    """A file where the run's folder should be is one sentence."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(report.ReportError, match="cannot write the report there"):
        report.save_all(mixed(), tmp_path / "runs")


def test_formats_are_the_five():
    """The formats are the ones the command line offers."""
    assert report.FORMATS == ("json", "csv", "md", "html", "junit")


@pytest.mark.parametrize(
    ("run", "items", "sentence", "command"),
    [
        ({}, [item()], "Succeeded: 1 number planned, and none is left to do.", None),
        ({}, [item(), item(State.SKIPPED)], "2 numbers planned, 1 skipped, and no other is left to do.", None),
        ({}, [item(), item(State.FAILED)], "Failed: 1 still attached, of 2 numbers.", "resume ID --retry-failed"),
        ({"ending": "blocked"}, [item(State.PLANNED)], "Blocked before the first detach: 1 number planned", None),
        ({"ending": "interrupted"}, [item(State.PLANNED)], "Interrupted: 1 of 1 number left to do.", "resume ID"),
        ({"ending": None}, [item(State.IN_FLIGHT)], "Not finished (still going on, or killed): 0 of 1", "resume ID"),
        ({"dry_run": True}, [item(State.PLANNED)], "Dry run: 1 of 1 number would be detached; nothing was sent.", None),
        ({"dry_run": True, "ending": None}, [item(State.PLANNED, seen_attached=False)], "Not finished", None),
    ],
)
def test_verdict_sentence_and_next_command(run, items, sentence, command):
    """Every status has its sentence, and the command that goes on where there is something to go on with."""
    made = fold(*items, **run)
    assert sentence in report.verdict_sentence(made)
    assert report.next_command(made) == (command and f"teardown {command.replace('ID', RUN.id)}")


def test_summary_shows_verdict_lanes_trouble_and_what_next():
    """The summary is readable as plain text, with the troubled numbers and why."""
    lines = shown(mixed()).splitlines()
    assert lines[0].startswith("sales-eu: Aborted part-way: ")
    assert "  1 detached, 1 skipped, 1 failed, 1 unknown, 1 pending" in lines
    assert "  unpod-main  5 requests  1 retries  2 throttled  5 of 10/s" in lines
    failed = lines.index("  failed +14155550000 at unpod-main/sales-bridge")
    assert lines[failed + 1] == "    the provider answered 500"
    assert lines[-1] == f"Next:   teardown resume {RUN.id} --retry-failed"


def test_summary_says_where_the_report_lies(tmp_path):
    """The page is named where there is one, and a state folder that was given belongs to every command."""
    assert "Page:" not in shown(mixed(), folder=tmp_path)
    (tmp_path / "report.html").touch()
    lines = shown(mixed(), folder=tmp_path, state_dir="my state").splitlines()
    assert lines[-3:] == [
        f"Page:   {tmp_path}/report.html",
        f"Report: teardown report {RUN.id} -o report.md --state-dir 'my state'  (or .html .csv .json .xml)",
        f"Next:   teardown resume {RUN.id} --retry-failed --state-dir 'my state'",
    ]


def test_a_rehearsal_is_not_gone_on_with():
    """Its sandbox is gone, so there is no command that goes on."""
    assert "resume" not in shown(fold(item(State.FAILED), sandbox=True))


def test_summary_of_a_clean_run_reads_no_items():
    """Where nothing is wrong the items are not read for the summary, however many there are."""
    made = fold(item())
    assert "Succeeded" in shown(made)
    assert made.source.readings == 0


def test_summary_fits_one_screen():
    """However much there is to say, it is 23 lines at most, and says how much more there is."""
    lanes = [item(account=f"account-{index}") for index in range(9)]
    failed = [item(State.FAILED, number=f"+14155551{index:03}") for index in range(50)]
    lines = shown(fold(*lanes, *failed, ending="stopped", notes=[f"note {index}" for index in range(30)])).splitlines()
    assert len(lines) <= 23
    assert "  and 28 more notes" in lines
    assert "  and 7 more accounts" in lines
    assert "  and 46 more" in lines
    assert len([line for line in lines if line.startswith("  failed +")]) == 4


def test_summary_of_a_blocked_run_shows_more_of_why():
    """Where there is no trouble there is room for more sentences that forbid the run."""
    lines = shown(fold(item(State.PLANNED), ending="blocked", notes=[f"note {n}" for n in range(30)])).splitlines()
    assert len(lines) <= 23
    assert lines[1:11] == [*(f"  note {n}" for n in range(9)), "  and 21 more notes"]


def test_summary_is_harmless_in_a_terminal():
    """Markup and escape sequences from a plan show as what they are."""
    page = shown(hostile())
    assert "\x1b" not in page
    assert r"[red]x[/red]\x1b[31m\u202e" in page
    assert all(line.isprintable() for line in page.splitlines())


@pytest.mark.parametrize(("color", "coloured"), [(True, True), (False, False)])
def test_summary_has_colour_only_on_a_terminal_that_wants_it(monkeypatch, color, coloured):
    """On a terminal the verdict is green, unless colour is off."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        report.summary(fold(item()), stream, color=color)
        stream.flush()
        seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert "Succeeded" in seen
    assert ("32m" in seen) == coloured


def test_report_does_not_load_rich_or_markupsafe_before_they_are_needed(run_python):
    """Folding and writing JSON loads neither the terminal's nor the page's library."""
    loaded = run_python(
        "import sys, runner.report; print(sorted({'rich', 'markupsafe', 'structlog'} & set(sys.modules)))"
    )
    assert loaded == "[]\n"


@pytest.fixture
def run_python():
    """Runs a script in a fresh interpreter and gives back what it printed."""

    def run(script):
        return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    return run


def test_what_the_page_is_made_of_is_packaged():
    """The parts of the page and the schema stand beside the code that reads them."""
    folder = Path(report.__file__).parent
    assert {"page.html", "page.css", "page.js", "schema.json"} <= {path.name for path in folder.iterdir()}
