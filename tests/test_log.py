"""The log: what reaches the file and the console, and what never does."""

import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import log
from runner.model import State

STARTED = 1_795_305_600.0


class Clock:
    """Seconds since the epoch, which pass only when a test says so."""

    def __init__(self):
        self.now = STARTED

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def console():
    return io.StringIO()


@pytest.fixture
def start(tmp_path, clock, console):
    """Opens a log with everything at its plainest, but for what a test asks."""
    opened = []

    def start(**options):
        known = {
            "file": tmp_path / "log.jsonl",
            "console": console,
            "console_format": "console",
            "console_level": "warning",
            "masked": False,
            "secrets": [],
            "clock": clock,
        }
        opened.append(log.open("run-1", **(known | options)))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def lines(tmp_path):
    """Reads what has reached the file so far."""
    return lambda: [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]


def test_an_event_is_a_line_of_json(start, lines):
    """Time, level, event and run come first; what is bound and what is given follow; null is left out."""
    events = start().bind(account="unpod-main", provider="unpod")
    events.info("number.attempt", number="+14155550101", attempt=1, http_status=None, outcome=State.DETACHED)
    events.close()
    (event,) = lines()
    assert list(event.items()) == [
        ("ts", "2026-11-22T00:00:00.000Z"),
        ("level", "info"),
        ("event", "number.attempt"),
        ("run_id", "run-1"),
        ("account", "unpod-main"),
        ("provider", "unpod"),
        ("number", "+14155550101"),
        ("attempt", 1),
        ("outcome", "detached"),
    ]


def test_binding_leaves_the_first_log_alone(start, lines):
    """What is bound is added to the new log only, and both write to one file."""
    events = start()
    events.bind(account="a").info("one")
    events.info("two")
    events.close()
    assert [event.get("account") for event in lines()] == ["a", None]


def test_the_file_takes_every_level_and_the_console_its_own(start, lines, console):
    """Debug events reach the file; the console gets what is at its level and above."""
    events = start(console_level="warning")
    for level in ("debug", "info", "warning", "error"):
        getattr(events, level)(f"at.{level}")
    events.close()
    assert [event["level"] for event in lines()] == ["debug", "info", "warning", "error"]
    assert [line.split()[2] for line in console.getvalue().splitlines()] == ["at.warning", "at.error"]


def test_the_file_is_private_and_appended_to(start, lines, tmp_path):
    """A resumed run goes on in the same file, which only its user may read."""
    for event in ("first", "second"):
        events = start()
        events.info(event)
        events.close()
    assert [event["event"] for event in lines()] == ["first", "second"]
    assert stat.S_IMODE((tmp_path / "log.jsonl").stat().st_mode) == 0o600


def test_a_torn_line_does_not_take_the_next_one_with_it(start, tmp_path):
    """A line that a killed process left half-written is ended before ours begins."""
    (tmp_path / "log.jsonl").write_text('{"ts":"2026')
    events = start()
    events.info("resumed")
    events.close()
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[1])["event"] == "resumed"


def test_events_are_flushed_after_a_while(start, lines, clock):
    """Events wait in memory for a fifth of a second at most, as long as others follow."""
    events = start()
    events.info("one")
    assert lines() == []
    clock.now += 0.25
    events.info("two")
    assert len(lines()) == 2


def test_a_clock_that_is_set_back_delays_no_flush(start, lines, clock):
    """A clock that jumps back does not keep events in memory."""
    events = start()
    clock.now -= 3600
    events.info("one")
    assert len(lines()) == 1


@pytest.mark.parametrize("level", ["warning", "error"])
def test_what_matters_is_flushed_at_once(start, lines, level):
    """A warning or an error is in the file when the call returns, with everything before it."""
    events = start()
    events.info("before")
    getattr(events, level)("trouble")
    assert [event["event"] for event in lines()] == ["before", "trouble"]


def test_flush_hands_over_what_waits(start, lines):
    """Whoever has nothing more to say for a while can flush."""
    events = start()
    events.info("one")
    events.flush()
    assert len(lines()) == 1


def test_without_a_file_the_console_still_works(start, console, tmp_path):
    """A log without a file writes none."""
    events = start(file=None)
    events.warning("lane.throttled")
    events.close()
    assert "lane.throttled" in console.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_the_file_and_says_so_once(start, console):
    """A write that fails is told once on the console, and the run goes on."""
    events = start(file=Path("/dev/full"))
    for _ in range(3):
        events.error("trouble")
    events.close()
    told = [line for line in console.getvalue().splitlines() if "given up" in line]
    assert told == ["teardown: the log file /dev/full is given up: No space left on device; the run goes on without it"]
    assert console.getvalue().count("trouble") == 3


def test_a_file_that_cannot_be_opened_is_told(start, console, tmp_path):
    """Opening never raises: a folder that is not there is told on the console."""
    events = start(file=tmp_path / "missing" / "log.jsonl")
    events.info("number.attempt")
    assert "No such file or directory" in console.getvalue()


def test_a_console_that_is_gone_stops_nothing(start, lines):
    """A closed console loses its lines, and the file keeps them."""
    gone = io.StringIO()
    gone.close()
    events = start(console=gone)
    events.error("trouble")
    assert [event["event"] for event in lines()] == ["trouble"]


def test_events_after_the_end_reach_the_console_only(start, lines, console):
    """A closed log opens no file again."""
    events = start()
    events.close()
    events.error("late")
    assert lines() == []
    assert "late" in console.getvalue()


SECRETS = ["tok-123", "tok-123-longer", 'qu"o\\te', "a b/c", ""]


@pytest.mark.parametrize("secret", [secret for secret in SECRETS if secret])
def test_secrets_reach_neither_file_nor_console(start, tmp_path, console, secret):
    """A secret is replaced wherever it stands: inside text, nested, in an exception."""
    events = start(secrets=SECRETS, console_level="debug").bind(account=f"x{secret}")
    events.info("event", error={"message": [f"Token {secret} refused", 1]}, cause=ValueError(secret))
    events.close()
    for text in ((tmp_path / "log.jsonl").read_text(), console.getvalue()):
        assert secret not in text
        assert "longer" not in text
        assert text.count("***") == 3


def test_a_secret_in_a_url_is_found_as_well(start, lines):
    """A secret that was escaped for a URL is replaced too."""
    events = start(secrets=["a b/c"])
    events.error("event", url="https://host/?key=a%20b%2Fc")
    assert lines()[0]["url"] == "https://host/?key=***"


@given(st.sampled_from(['"', ":", "{", "a", "1", "\\", "n", "é"]), st.text(), st.integers())
def test_a_line_is_json_whatever_the_secret(tmp_path_factory, secret, text, number):
    """A secret that looks like the JSON around it is taken out of the texts and leaves the line whole."""
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    events = log.open(
        "r",
        file=path,
        console=io.StringIO(),
        console_format="json",
        console_level="debug",
        masked=False,
        secrets=[secret],
        clock=Clock(),
    )
    events.info("event", text=text, number_=number)
    events.close()
    line, rest = path.read_text().split("\n")
    assert secret not in json.loads(line)["text"]
    assert rest == ""


def test_numbers_are_masked_where_that_is_asked_for(start, tmp_path, console):
    """The number field and every number inside a text lose their middle, in the file and on the console."""
    events = start(masked=True)
    events.error("e", number="+14155550101", error="+14155550102 at /v2/%2B14155550103", attempt=14155550104)
    for text in ((tmp_path / "log.jsonl").read_text(), console.getvalue()):
        assert "5555010" not in text.replace("14155550104", "")
        assert "+1415•••••01" in text
        assert "+1415•••••02" in text


def test_numbers_are_whole_where_masking_is_not_asked_for(start, lines):
    """Without masking the number is what it is."""
    start().error("e", number="+14155550101", error="+14155550102")
    assert (lines()[0]["number"], lines()[0]["error"]) == ("+14155550101", "+14155550102")


def test_the_number_field_is_masked_in_any_form(start, lines):
    """What a provider calls the number is masked as well, with or without its plus."""
    start(masked=True).error("e", number="14155550101")
    assert lines()[0]["number"] == "14155••••01"


def test_masking_an_event_without_a_number(start, lines):
    """Events that are not about a number pass as they are."""
    start(masked=True).error("run.finished", planned=3)
    assert lines()[0]["planned"] == 3


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+14155550101", "+1415•••••01"),
        ("+442079460012345", "+4420•••••••••45"),
        ("+1234567", "+1••••67"),
        ("+12345", "••••••"),
        ("", ""),
    ],
)
def test_mask(number, masked):
    """Five characters, bullets, two characters; a short number still hides four."""
    assert log.mask(number) == masked


@given(st.text(max_size=40))
def test_mask_keeps_the_length_and_hides_four(number):
    """Whatever it is given, a mask is as long as the number and hides four characters or all."""
    masked = log.mask(number)
    assert len(masked) == len(number)
    assert masked.count("•") >= min(4, len(number))


@given(st.text())
def test_plain_text_is_printable(text):
    """What comes out prints on one line, and what was printable is untouched."""
    assert log.plain(text).isprintable()
    assert log.plain(text) == text or not text.isprintable()


@pytest.mark.parametrize("form", ["console", "json"])
def test_escape_sequences_never_reach_the_console(start, console, lines, form):
    """Control characters show as what they are, also those that JSON would let through."""
    nasty = "\x1b[31mred\x9b0m\x7f\u202e\n"
    events = start(console_format=form)
    events.error("trouble", account=nasty, note=nasty)
    text = console.getvalue()
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert lines()[0]["account"] == nasty


def test_console_line(start, console):
    """On the console an event is time, level, name and key=value, quoted where it must be."""
    start().warning("lane.throttled", account="unpod-main", wait=1.5, reason="too many requests", empty="", ok=True)
    assert console.getvalue() == (
        '00:00:00Z warning lane.throttled account=unpod-main wait=1.5 reason="too many requests" empty="" ok=true\n'
    )


@pytest.mark.parametrize(
    ("event", "fields", "told"),
    [
        (
            "number.finished",
            {"account": "a", "target": "sales", "number": "+14155550101", "outcome": "failed", "error": "HTTP 400"},
            "failed +14155550101 at a/sales: HTTP 400",
        ),
        ("lane.throttled", {"account": "a", "wait_s": 12.0, "error": "HTTP 429"}, "throttled a for 12 s: HTTP 429"),
        ("lane.stopped", {"account": "a", "reason": "signal", "error": "interrupted"}, "stopped a: interrupted"),
        ("guard.tripped", {"error": "20 items have failed"}, "stopped by a guard: 20 items have failed"),
    ],
)
def test_a_problem_is_a_sentence_on_the_console(start, console, event, fields, told):
    """What a person has to know of is said in words; the file has the event."""
    start().warning(event, **fields)
    assert console.getvalue() == f"00:00:00Z {told}\n"


def test_only_problems_are_sentences(start, console):
    """What went well keeps the name of its event, also where a problem of the same name would be a sentence."""
    start(console_level="info").info(
        "number.finished", account="a", number="+14155550101", outcome="detached", error=""
    )
    assert "info    number.finished account=a " in console.getvalue()


def test_console_as_json(start, console, lines):
    """With the JSON format the console gets the line of the file."""
    start(console_format="json").error("trouble", account="ünpod")
    assert json.loads(console.getvalue()) == lines()[0]


def test_console_that_cannot_write_a_character(start, tmp_path):
    """A console in plain ASCII gets escapes instead of an error."""
    raw = io.BytesIO()
    start(console=io.TextIOWrapper(raw, encoding="ascii"), masked=True).error("e", number="+14155550101")
    assert rb"+1415\u2022" in raw.getvalue()


@pytest.mark.parametrize("odd", ["\ud800", 2**70, {(1, 2): 3}], ids=["surrogate", "big", "key"])
def test_what_json_cannot_hold_is_logged_as_text(start, lines, odd):
    """An odd value costs its type, never the event."""
    start().error("e", odd=odd, attempt=1)
    assert lines()[0]["odd"] == log.plain(str(odd))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (STARTED + 0.9996, "2026-11-22T00:00:01.000Z"),
        (1.0005, "1970-01-01T00:00:01"),
    ],
)
def test_stamp(seconds, shown):
    """Times are RFC 3339 in UTC, rounded to milliseconds."""
    assert log.stamp(seconds).startswith(shown)


def test_masking_does_not_load_structlog():
    """Who only masks or shows text does not pay for the log's library."""
    script = "import sys; from runner import log; log.mask('+14155550101'); print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_opening_a_log_configures_nothing_global(start):
    """The chain belongs to the log: structlog's own configuration stays untouched."""
    import structlog  # noqa: PLC0415 - loaded by opening a log

    start()
    assert not structlog.is_configured()
