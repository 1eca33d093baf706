"""The progress display: what it says, when, and that it can neither tear the terminal nor stop a run."""

import io
import os
import pty
import select

import pytest

from runner import progress
from runner.model import State
from runner.progress.facts import LaneFacts, Pace, duration
from runner.progress.table import Frame, Row
from tests.screen import Screen


class Clock:
    """Seconds that pass only when a test says so."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def terminal(monkeypatch):
    """A terminal: the stream to write to, and what it has shown."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w")

    def seen():
        stream.flush()
        return shown(ours)

    yield stream, seen
    stream.close()
    os.close(ours)


def shown(terminal):
    """All that was written to a terminal since the last time."""
    got = b""
    while select.select([terminal], [], [], 0)[0]:
        got += os.read(terminal, 65536)
    return got.decode()


def begun(stream, clock, *, color=True):
    """A display of two lanes that has settled three of ten in two seconds."""
    display = progress.choose(stream, enabled=True, color=color, clock=clock)
    display.start(10)
    display.lane("unpod-main", 6)
    display.lane("videosdk-main", 4)
    display.traffic("unpod-main", requests=0, retries=0, limit=10)
    display.traffic("videosdk-main", requests=0, retries=0, limit=5)
    display.phase("detaching")
    display.settled("unpod-main", State.DETACHED)
    display.settled("unpod-main", State.FAILED)
    display.settled("videosdk-main", State.DETACHED)
    clock.now += 2
    return display


def test_lines_elsewhere(clock):
    """Without a terminal there is a line every few seconds; its ETA is the slowest lane's."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.tick()
    assert stream.getvalue() == "teardown: detaching\n"
    clock.now += 3
    display.tick()
    display.tick()
    assert stream.getvalue().splitlines()[1:] == ["teardown: 3/10 detached 2, failed 1, 0.0 of 15/s, ETA 15s"]


def test_lines_of_a_pre_check(clock):
    """Before it is known how much there is to do, a line says how much has been asked."""
    stream = io.StringIO()
    display = progress.LineProgress(stream, clock=clock)
    display.traffic("unpod-main", requests=0, retries=0, limit=10)
    display.phase("pre-check")
    clock.now += 5
    display.traffic("unpod-main", requests=40, retries=0, limit=10)
    display.tick()
    display.rest()
    display.close()
    assert stream.getvalue().splitlines() == ["teardown: pre-check", "teardown: pre-check, 40 requests, 8.0 of 10/s"]


def test_the_rate_stands_against_the_limit(clock):
    """What leaves is measured over a quarter of a minute, never shown above the limit, and slow limits per minute."""
    facts = LaneFacts("unpod-main", 10, limit=20)
    facts.traffic.mark(0.0, 0)
    facts.traffic.mark(2.0, 19)
    assert facts.speed() == "9.5 of 20/s"
    facts.traffic.mark(2.5, 52)
    assert facts.speed() == "20.0 of 20/s"
    facts.limit = 5 / 60
    assert facts.speed() == "5.0 of 5/min"


def test_repeats_are_counted_in_a_line(clock):
    """How many requests were repeats is said where there were any."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.traffic("unpod-main", requests=9, retries=4, limit=10)
    display.close()
    assert ", 4 retries, ETA " in stream.getvalue()


def test_the_eta_of_a_ramp(clock):
    """A lane whose turn has not come counts with what is left of the run, not only with its own limit."""
    stream = io.StringIO()
    display = progress.LineProgress(stream, clock=clock)
    display.start(200)
    for account in ("first", "second"):
        display.lane(account, 100)
        display.traffic(account, requests=0, retries=0, limit=10)
    display.phase("batch 1 of 2")
    for _ in range(50):
        display.settled("first", State.DETACHED)
    clock.now += 5
    display.tick()
    assert stream.getvalue().splitlines()[-1].endswith(", ETA 15s")


def test_a_waiting_lane_says_why_and_how_long(clock):
    """A lane that waits is named with its reason, the time left counts into the ETA, and its pace is kept."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.tick()
    display.waiting("unpod-main", "throttled by the provider", clock.now + 15)
    clock.now += 3
    display.tick()
    line = stream.getvalue().splitlines()[-1]
    assert line.endswith(", ETA 16s, unpod-main: throttled by the provider, 12 s left")
    display.waiting("unpod-main", "paused")
    clock.now += 5
    display.tick()
    assert stream.getvalue().splitlines()[-1].endswith("unpod-main: paused")
    display.waiting("unpod-main", None)
    clock.now += 5
    display.tick()
    assert "unpod-main" not in stream.getvalue().splitlines()[-1]


def test_rates_begin_with_the_phase(clock):
    """What the pre-check settled at a stroke is no pace of detaching."""
    stream = io.StringIO()
    display = progress.LineProgress(stream, clock=clock)
    display.start(200)
    display.lane("unpod-main", 200)
    display.phase("checking")
    clock.now += 1
    for _ in range(100):
        display.settled("unpod-main", State.ALREADY_DETACHED)
    display.phase("detaching")
    clock.now += 1
    display.settled("unpod-main", State.DETACHED)
    display.close()
    assert ", ETA 1m39s" in stream.getvalue()


def test_an_eta_that_nobody_knows(clock):
    """As long as one lane with work has neither pace nor limit there is no ETA."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.lane("idle", 5)
    clock.now += 5
    display.tick()
    assert stream.getvalue().splitlines()[-1].endswith("ETA ?")


def test_a_look_that_corrects_an_outcome_moves_it(clock):
    """An item that is counted again under another outcome is still one item."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.settled("unpod-main", State.DETACHED, was=State.FAILED)
    display.close()
    assert "teardown: 3/10 detached 3, " in stream.getvalue()


def test_close_writes_the_last_state_once(clock):
    """A short run gets its one line at the end, and closing again adds none."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.close()
    display.close()
    assert len(stream.getvalue().splitlines()) == 2


def test_close_before_anything_began_says_nothing(clock):
    """A run that never had a lane has no state to show."""
    stream = io.StringIO()
    progress.LineProgress(stream, clock=clock).close()
    assert stream.getvalue() == ""


def test_a_lane_that_nobody_announced_stops_nothing(clock):
    """A display counts what it is told, also of a lane it has not heard of."""
    stream = io.StringIO()
    display = progress.LineProgress(stream, clock=clock)
    display.start(1)
    display.settled("surprise", State.DETACHED)
    display.close()
    assert "1/1 detached 1" in stream.getvalue()


def test_names_cannot_reach_the_terminal_raw(clock):
    """Escape sequences in names and reasons are spelled out."""
    stream = io.StringIO()
    display = progress.LineProgress(stream, clock=clock)
    display.start(1)
    display.lane("\x1b[31mx", 1)
    display.waiting("\x1b[31mx", "\x1b[2J", clock.now + 1)
    display.phase("\x1b]0;title\x07")
    display.close()
    assert all(line.isprintable() for line in stream.getvalue().splitlines())


def test_a_stream_that_is_gone_stops_nothing(clock):
    """Nobody reads any more: the run goes on."""
    stream = io.StringIO()
    display = begun(stream, clock)
    stream.close()
    clock.now += 10
    display.tick()
    display.close()


def test_a_terminal_gets_a_live_display(terminal, clock):
    """On a terminal there is a line per lane and one for the run, redrawn in place."""
    stream, seen = terminal
    display = begun(stream, clock)
    display.waiting("videosdk-main", "[red]slow[/red]\x1b[2J", clock.now + 12)
    display.tick()
    screen = Screen(80, 24)
    screen.feed(seen())
    assert screen.lines() == [
        "detaching                               done  detached  failed         rate  ETA",
        "unpod-main     ━━━━━━━────────────────   2/6         1       1  0.0 of 10/s   4s",
        r"videosdk-main  ━━━━━──────────────────   1/4  [red]slow[/red]\x1b[2J, 12 s left",
        "all            ━━━━━━─────────────────  3/10         2       1  0.0 of 15/s  13s",
    ]
    clock.now += 0.01
    display.tick()
    assert seen() == ""
    display.close()


def test_a_narrow_terminal(terminal, clock, monkeypatch):
    """On 40 columns there are fewer columns, no line is torn, and why a lane waits keeps its seconds."""
    monkeypatch.setenv("COLUMNS", "40")
    stream, seen = terminal
    display = begun(stream, clock)
    display.waiting("videosdk-main", "throttled by the provider", clock.now + 12)
    display.tick()
    screen = Screen(40, 24)
    screen.feed(seen())
    assert screen.lines() == [
        "detaching              done  failed  ETA",
        "unpod-main     ━━────   2/6       1   4s",
        "videosdk-main   1/4  throttled b... 12 s",
        "all            ━─────  3/10       1  13s",
    ]
    display.close()


def test_a_reason_matters_more_than_a_count():
    """Where a long name leaves no room for both, a lane that waits says why, and the whole run says how far it is."""
    facts = LaneFacts("unpod-emea-secondary", 109, reason="throttled by the provider", until=3.0)
    facts.counts[State.DETACHED] = 68
    frame = Frame([Row(facts, 9.0), Row(LaneFacts("all", 209), None)], "detaching", 0.0, 40, 24, ascii_only=False)
    assert [line.plain.rstrip() for line in frame.lines()] == [
        "detaching               done  ETA",
        "unpod-emea-secondary  throttled b... 3 s",
        "all                    0/209    ?",
    ]


def test_a_terminal_without_unicode(monkeypatch, clock):
    """Where the encoding has no bars, they are drawn in ASCII, and so is every cut."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="ascii") as stream:
        display = begun(stream, clock, color=False)
        display.tick()
        display.stream.write(f"00:00:00Z failed {80 * 'x'}\n")
        stream.flush()
        got = shown(ours)
        display.close()
    os.close(ours)
    assert "####" in got
    assert "x...\r\n" in got


def test_more_lanes_than_a_terminal_is_high(terminal, clock, monkeypatch):
    """Of many lanes those with work left are shown, and how many are not."""
    monkeypatch.setenv("LINES", "7")
    stream, seen = terminal
    display = progress.choose(stream, enabled=True, color=True, clock=clock)
    display.start(20)
    for index in range(10):
        display.lane(f"lane-{index}", 2)
    for index in range(8):
        for _ in range(2):
            display.settled(f"lane-{index}", State.DETACHED)
    display.phase("detaching")
    screen = Screen(80, 7)
    screen.feed(seen())
    assert [line.split()[0] for line in screen.lines()] == ["detaching", "lane-8", "lane-9", "lane-0", "all", "and"]
    assert screen.lines()[-1] == "and 7 more lanes"
    display.close()


def test_lanes_without_work_are_left_out(terminal, clock):
    """A lane that has nothing to do is shown while it is looked at, and no longer when that is known."""
    stream, seen = terminal
    display = progress.choose(stream, enabled=True, color=True, clock=clock)
    display.traffic("idle", requests=3, retries=0, limit=10)
    display.phase("pre-check")
    screen = Screen(80, 24)
    screen.feed(seen())
    assert [line.split()[0] for line in screen.lines()] == ["pre-check", "idle", "all"]
    display.rest()
    display.start(1)
    display.lane("idle", 0)
    display.lane("busy", 1)
    display.traffic("idle", requests=3, retries=0, limit=10)
    display.traffic("busy", requests=3, retries=0, limit=20)
    display.phase("detaching")
    screen.feed(seen())
    assert [line.split()[0] for line in screen.lines() if line] == ["detaching", "busy", "all"]
    assert screen.lines()[2].endswith(" of 20/s   0s")
    display.close()


def test_the_live_display_gives_the_terminal_back(terminal, clock):
    """Closing shows the cursor again, and closing twice does no harm."""
    stream, seen = terminal
    display = begun(stream, clock)
    display.tick()
    assert "\x1b[?25l" in seen()
    display.close()
    assert "\x1b[?25h" in seen()
    display.close()


def test_lines_above_the_live_display(terminal, clock):
    """What is written to the display's stream stands above it, as it is."""
    stream, seen = terminal
    display = begun(stream, clock)
    display.tick()
    seen()
    display.stream.write("00:00:00Z warning lane.throttled [bold]\n")
    assert "00:00:00Z warning lane.throttled [bold]" in seen()
    display.close()


def test_a_line_above_the_live_display_is_one_line(terminal, clock):
    """What is longer than the terminal is wide is cut there, but not half a JSON object."""
    stream, seen = terminal
    display = begun(stream, clock)
    display.tick()
    seen()
    display.stream.write(f"00:00:00Z failed {'x' * 100}\n")
    assert f"{'x' * 60}..." in seen()
    display.stream.write('{"event": "' + "x" * 100 + '"}\n')
    assert '{"event": "' + "x" * 100 + '"}' in seen()
    display.close()


def test_lines_without_a_display_are_written_as_they_are(terminal, clock):
    """Before the display, while it rests and after it nothing is cut."""
    stream, seen = terminal
    display = begun(stream, clock)
    display.rest()
    seen()
    display.stream.write(f"00:00:00Z failed {'x' * 100}\n")
    assert "x" * 100 in seen()
    display.phase("verifying")
    assert "verifying" in seen()
    display.close()


def test_a_terminal_that_is_gone_stops_nothing(terminal, clock, tmp_path):
    """A live display whose terminal fails goes quiet."""
    stream, _ = terminal
    display = begun(stream, clock)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, stream.fileno())
    os.close(full)
    display.tick()
    display.close()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


@pytest.mark.parametrize(("color", "no_color"), [(True, ""), (False, ""), (True, "1")])
def test_colour_is_wanted_twice(terminal, clock, monkeypatch, color, no_color):
    """Colour needs the option and an unset or empty NO_COLOR."""
    monkeypatch.setenv("NO_COLOR", no_color)
    stream, seen = terminal
    display = begun(stream, clock, color=color)
    display.tick()
    assert ("\x1b[32m" in seen()) == (color and not no_color)
    display.close()


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_dumb_terminal_gets_lines(terminal, clock, monkeypatch, term):
    """A terminal that cannot redraw gets lines."""
    monkeypatch.setenv("TERM", term)
    assert isinstance(
        progress.choose(terminal[0], enabled=True, color=True, clock=clock),
        progress.LineProgress,
    )


def test_no_progress_writes_nothing(clock):
    """With the display off, every fact is taken and nothing is shown."""
    stream = io.StringIO()
    display = progress.choose(stream, enabled=False, color=True, clock=clock)
    display.start(1)
    display.lane("a", 1)
    display.phase("detaching")
    display.settled("a", State.DETACHED)
    display.waiting("a", "throttled", 1.0)
    display.tick()
    display.close()
    assert stream.getvalue() == ""
    assert display.stream is stream


def test_pace_is_of_the_last_quarter_of_a_minute():
    """What happened longer ago no longer counts into the rate."""
    pace = Pace()
    for second in range(41):
        pace.mark(float(second), 100 if second >= 20 else 5 * second)
    assert pace.rate == 0.0
    pace.mark(41.0, 115)
    assert pace.rate == pytest.approx(1.0, rel=0.1)


def test_pace_needs_two_marks():
    """One look is no rate, and neither are two at the same moment."""
    pace = Pace()
    assert pace.rate == 0.0
    pace.mark(1.0, 5)
    pace.mark(1.0, 6)
    assert pace.rate == 0.0


def test_a_lane_that_waits_to_look_again_is_not_done(clock):
    """While a verification waits, neither the lane nor the run says that it is done."""
    stream = io.StringIO()
    display = progress.choose(stream, enabled=True, color=False, clock=clock)
    display.start(1)
    display.lane("unpod-main", 1)
    display.settled("unpod-main", State.DETACHED)
    display.waiting("unpod-main", "a look", clock.now + 29)
    display.close()
    assert stream.getvalue().splitlines()[-1] == "teardown: 1/1 detached 1, ETA 29s, unpod-main: a look, 29 s left"


def test_a_lane_that_is_done_has_no_time_left():
    """Nothing left to do takes no time, whatever the pace."""
    assert LaneFacts("a", 0).eta(0.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0s"), (0.4, "0s"), (38, "38s"), (59.6, "1m00s"), (125, "2m05s"), (11_220, "3h07m")]
)
def test_duration(seconds, shown):
    """A duration shows two units at most."""
    assert duration(seconds) == shown
