"""The progress display: what it says, when, and that it can neither tear the terminal nor stop a run."""

import io
import os
import pty
import select

import pytest

from runner import progress
from runner.model import State
from runner.progress.facts import LaneFacts, Pace, duration


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
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w")

    def seen():
        stream.flush()
        got = b""
        while select.select([ours], [], [], 0)[0]:
            got += os.read(ours, 65536)
        return got.decode()

    yield stream, seen
    stream.close()
    os.close(ours)


def begun(stream, clock, *, color=True):
    """A display of two lanes that has settled three of ten in two seconds."""
    display = progress.choose(stream, enabled=True, color=color, clock=clock)
    display.start(10)
    display.lane("unpod-main", 6)
    display.lane("videosdk-main", 4)
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
    assert stream.getvalue().splitlines()[1:] == ["teardown: 3/10 detached 2, failed 1, 0.6/s, ETA 15s"]


def test_a_waiting_lane_says_why_and_how_long(clock):
    """A lane that waits is named with its reason, the time left counts into the ETA, and its pace is kept."""
    stream = io.StringIO()
    display = begun(stream, clock)
    display.tick()
    display.waiting("unpod-main", "throttled by the provider", clock.now + 15)
    clock.now += 3
    display.tick()
    line = stream.getvalue().splitlines()[-1]
    assert line.endswith(", ETA 16s, unpod-main waits: throttled by the provider 12s")
    display.waiting("unpod-main", "paused")
    clock.now += 5
    display.tick()
    assert stream.getvalue().splitlines()[-1].endswith("unpod-main waits: paused")
    display.waiting("unpod-main", None)
    clock.now += 5
    display.tick()
    assert "waits" not in stream.getvalue().splitlines()[-1]


def test_rates_begin_with_the_phase(clock):
    """What the pre-check settled at a stroke is no pace of detaching."""
    stream = io.StringIO()
    display = progress.LineProgress(stream, clock=clock)
    display.lane("unpod-main", 200)
    display.phase("checking")
    clock.now += 1
    for _ in range(100):
        display.settled("unpod-main", State.ALREADY_DETACHED)
    display.phase("detaching")
    clock.now += 1
    display.settled("unpod-main", State.DETACHED)
    display.close()
    assert ", 1.0/s, ETA 1m39s" in stream.getvalue()


def test_an_eta_that_nobody_knows(clock):
    """As long as one lane with work has no pace there is no ETA."""
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
    display.waiting("videosdk-main", "[red]throttled[/red]\x1b[2J", clock.now + 12)
    display.tick()
    frame = seen()
    assert "unpod-main" in frame
    assert "2/6 detached 1, failed 1 1.0/s" in frame.replace("\x1b[0m", "")
    assert r"waits: [red]throttled[/red]\x1b[2J 12s" in frame
    assert "detaching 3/10" in frame
    clock.now += 0.01
    display.tick()
    assert seen() == ""
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
    assert ("\x1b[38;" in seen()) == (color and not no_color)
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


def test_a_lane_that_is_done_has_no_time_left():
    """Nothing left to do takes no time, whatever the pace."""
    assert LaneFacts("a", 0).eta(0.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0s"), (0.4, "0s"), (38, "38s"), (59.6, "1m00s"), (125, "2m05s"), (11_220, "3h07m")]
)
def test_duration(seconds, shown):
    """A duration shows two units at most."""
    assert duration(seconds) == shown
