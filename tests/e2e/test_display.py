"""What an operator sees on a real terminal: the live display, its problems, and what becomes of it over time."""

import pytest
from bench import bridge, gateway, numbers
from terminal import Terminal

DUMB = [{"TERM": "dumb"}, {"TERM": ""}]


@pytest.fixture
def two_lanes(bench):
    """A plan of two accounts, slow enough to be watched."""
    sales, sip = numbers(28, 101), numbers(8, 301)
    bench.world.unpod.add_bridge("sales", sales)
    for number in sip:
        bench.world.videosdk.attach(number, "gw")
    bench.slow_down(sales + sip, 0.25)
    bench.configure(accounts={name: {"concurrency": 4} for name in ("unpod-main", "videosdk-main")})
    return bench.plan(bridge("sales", sales), gateway(sip, "gw"))


def heads(lines):
    """The first word of each line that is not empty."""
    return [line.split()[0] for line in lines if line]


def live(lines):
    """Whether the display is there and something has been detached."""
    return "detaching" in heads(lines) and any(line.startswith("all") and " 0/" not in line for line in lines)


def frames(screen):
    """How many displays can be seen, of which there should be one."""
    return sum(line.startswith(("detaching", "verifying", "pre-check")) for line in screen.lines())


def test_a_line_per_lane_and_one_for_the_run(bench, two_lanes):
    """On a terminal there is one table; when the run is over the summary stands in its place."""
    with Terminal("run", two_lanes, "--yes") as terminal:
        lines = terminal.until(live)
        table = lines[lines.index(next(line for line in lines if line.startswith("detaching"))) :]
        assert heads(table) == ["detaching", "unpod-main", "videosdk-main", "all"]
        assert table[0].split()[-3:] == ["requests", "rate", "ETA"]
        assert " of 1000/s" in table[1]
        assert terminal.finish() == 0
    assert frames(terminal.screen) == 0
    assert terminal.screen.cursor
    assert any("Succeeded: 36 numbers planned" in line for line in terminal.screen.lines())


def test_what_was_said_before_the_display_stays(bench, two_lanes):
    """The display takes away nothing but itself: what the run is about can be read when it is over."""
    with Terminal("run", two_lanes, "--yes") as terminal:
        assert terminal.finish() == 0
    said = [line for line in terminal.screen.everything() if line]
    assert said[0].startswith("test-plan: 36 of 36 numbers to detach")
    assert said[1].startswith("  unpod-main/sales  28 to detach of 28 attached (100 %)")
    assert said[4].startswith("  videosdk-main  about ")
    assert said[5].startswith("  unpod-main     a rollback puts back 28 exactly as before")
    assert said[7].startswith("test-plan: Succeeded")


def test_a_throttle_is_one_line_above_and_the_reason_in_its_lane(bench, two_lanes):
    """Why nothing leaves stands in the lane, with the seconds; above the display it is one line."""
    bench.faults.seconds["http_429"] = 2
    bench.faults.script(numbers(1, 110)[0], ["http_429"])
    with Terminal("run", two_lanes, "--yes", size=(80, 24)) as terminal:
        lines = terminal.until(lambda lines: any("throttled by the provider, 2 s left" in line for line in lines))
        assert [line for line in lines if line.startswith("unpod-main ")]
        assert terminal.finish() == 0
    told = [line for line in terminal.screen.everything() if "throttled unpod-main for 2 s" in line]
    assert len(told) == 1


def test_a_failed_number_is_one_line_above(bench, two_lanes):
    """A number that failed scrolls above the display with its reason, cut to one line, and is counted in it."""
    bench.faults.script(numbers(1, 105)[0], ["business_206"] * 5)
    with Terminal("run", two_lanes, "--yes", size=(60, 24)) as terminal:
        terminal.until(lambda lines: any(" failed +14155550105 at unpod-main/sales" in line for line in lines))
        terminal.until(lambda lines: any("failed" in line.split() and line.startswith("detaching") for line in lines))
        assert terminal.finish() == 4
    above = [line for line in terminal.screen.everything() if "Z failed +14155550105" in line]
    assert [line.endswith("...") for line in above] == [True]


@pytest.mark.parametrize("size", [(40, 24), (30, 10), (200, 50)])
def test_sizes(bench, two_lanes, size):
    """Whatever the size, the display is there once, and no line of it is wider than the terminal."""
    with Terminal("run", two_lanes, "--yes", size=size) as terminal:
        terminal.until(live)
        assert frames(terminal.screen) == 1
        assert terminal.finish() == 0
    assert frames(terminal.screen) == 0


def test_resizing(bench, two_lanes):
    """A terminal may become narrower and wider while a run goes on; there is one display, as wide as fits."""
    with Terminal("run", two_lanes, "--yes") as terminal:
        terminal.until(live)
        terminal.resize(40, 30)
        terminal.until(lambda lines: any(line.startswith("detaching") and " ETA" in line for line in lines))
        assert frames(terminal.screen) == 1
        assert heads(terminal.screen.lines()).count("all") == 1
        terminal.resize(120, 30)
        terminal.until(lambda lines: any("requests" in line.split() for line in lines))
        assert frames(terminal.screen) == 1
        assert terminal.finish() == 0


@pytest.mark.parametrize("variables", DUMB)
def test_dumb_terminals_get_lines(bench, two_lanes, variables):
    """Where nothing can be redrawn there are lines, without any escape sequence."""
    with Terminal("run", two_lanes, "--yes", "--no-color", **variables) as terminal:
        assert terminal.finish() == 0
    assert "\x1b[?25l" not in terminal.text
    assert "teardown: detaching" in terminal.text


def test_no_color(bench, two_lanes):
    """With NO_COLOR there is the same table without colours; bars can be told from what is left all the same."""
    with Terminal("run", two_lanes, "--yes", NO_COLOR="1") as terminal:
        lines = terminal.until(live)
        assert any("━" in line and "─" in line for line in lines)
        assert terminal.finish() == 0
    assert not [code for code in ("\x1b[32m", "\x1b[36m", "\x1b[33m") if code in terminal.text]


def test_an_encoding_without_bars(bench, two_lanes):
    """On a terminal that is not UTF-8 everything is ASCII."""
    with Terminal("run", two_lanes, "--yes", PYTHONIOENCODING="ascii") as terminal:
        lines = terminal.until(live)
        assert any("#" in line for line in lines)
        assert terminal.finish() == 0
    assert terminal.text.isascii()
    assert "\\u" not in terminal.text


def test_the_pre_check_is_shown(bench, two_lanes):
    """A pre-check that takes its time shows what has been asked, and leaves the terminal before the question."""
    with Terminal("run", two_lanes, "--no-progress") as terminal:
        terminal.expect("[y/N]")
        assert frames(terminal.screen) == 0
        terminal.type("n\n")
        assert terminal.finish() == 3
    with Terminal("run", two_lanes) as terminal:
        terminal.expect("pre-check")
        terminal.expect("[y/N]")
        assert frames(terminal.screen) == 0
        assert terminal.screen.cursor
        terminal.type("n\n")
        assert terminal.finish() == 3


@pytest.fixture
def trouble(bench):
    """A plan with a long name in it, of which six numbers fail."""
    slug, listed = "support-bridge-of-the-far-north-eu-west-4", numbers(8, 101)
    bench.world.unpod.add_bridge(slug, listed)
    for number in listed[:6]:
        bench.faults.script(number, ["business_206"] * 5)
    return bench.plan(bridge(slug, listed))


def test_the_question_breaks_between_words(bench, trouble):
    """On a narrow terminal what is about to happen breaks between words; only a name longer than a line is torn."""
    with Terminal("run", trouble, size=(50, 30)) as terminal:
        terminal.expect("[y/N] ")
        said = terminal.screen.everything()
        terminal.type("n\n")
        assert terminal.finish() == 3
    target = said.index("  unpod-main/support-bridge-of-the-far-north-eu-we")
    assert said[target + 1 : target + 5] == [
        "    st-4  8 to detach of 8 attached (100 %)",
        "  unpod-main  about 10 requests, about 0 s at",
        "    1000/s",
        "  unpod-main  a rollback puts back 8 exactly as",
    ]


@pytest.mark.parametrize("size", [(40, 24), (60, 20), (80, 24)])
def test_the_summary_fits_the_screen(bench, trouble, size):
    """From the verdict to the command to go on with all can be seen at once, and no sentence breaks within a word."""
    with Terminal("run", trouble, "--yes", size=size) as terminal:
        assert terminal.finish() == 4
    seen = terminal.screen.lines()
    assert any(line.startswith("test-plan: Failed: 6 still attached") for line in seen)
    assert any(line.startswith("  failed +14155550101") for line in seen)
    assert any(line.startswith("    HTTP 206: No provider linked to") for line in seen)
    assert any(line.startswith("Next:   teardown resume ") for line in seen)


@pytest.mark.parametrize("key", ["\x04", "\x03"])
def test_what_follows_an_unanswered_question_has_a_line_of_its_own(bench, trouble, key):
    """Ctrl-D and Ctrl-C answer nothing; the question's line ends all the same."""
    with Terminal("run", trouble, size=(100, 30)) as terminal:
        terminal.expect("[y/N] ")
        terminal.type(key)
        terminal.finish()
    seen = terminal.screen.lines()
    asked = next(line for line in seen if "[y/N]" in line)
    assert asked.removesuffix("^C").rstrip().endswith("[y/N]")
    assert any(line.startswith("test-plan: ") for line in seen[seen.index(asked) :])
