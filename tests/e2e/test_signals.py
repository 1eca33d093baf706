"""Signals and terminals: the first signal drains, the question is asked, and no means no."""

import os
import signal

import pytest
from bench import call, finish, numbers
from terminal import Terminal


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_drains(bench, number, code):
    """Requests in flight finish, the report is written, the rest is pending, and the resume command is named."""
    plan, listed = bench.sales(30)
    bench.slow_down(listed, 0.05)
    said = bench.struck(number, 10, "run", plan, "--yes", "--json", "--report", "out.csv")
    run = said.report["run"]
    assert (said.code, run["exit_code"], run["status"], run["signal"]) == (code, code, "interrupted", int(number))
    assert set(said.totals()) == {"detached", "pending"}
    gone = {entry.number for entry in bench.detaches()}
    assert {row for row, outcome in said.outcomes().items() if outcome == "detached"} == gone
    assert 10 <= len(gone) <= 14
    assert all(entry.status == 200 for entry in bench.detaches())
    assert f"teardown resume {run['id']}" in said.err
    assert (bench.folder / "out.csv").read_text().count("\n") == 31
    assert "run.interrupted" in {event["event"] for event in bench.log(said)}
    resumed = bench.resume()
    assert (resumed.code, resumed.totals()) == (0, {"detached": 30})
    assert bench.world.useless_detaches() == []


def test_a_lane_that_waits_is_woken(bench):
    """A long pause that the provider asked for does not hold up the end."""
    plan, listed = bench.sales(3)
    bench.faults.seconds["http_429"] = 60
    bench.faults.script(listed[0], ["http_429"] * 3)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}}, retry={"max_throttle_wait": "10m"})
    process = bench.start("run", plan, "--yes", "--json", "-v")
    for line in process.stderr:
        if " throttled unpod-main for 60 s" in line:
            process.send_signal(signal.SIGTERM)
            break
    said = finish(process)
    assert (said.code, said.totals()) == (143, {"pending": 3})


def test_a_signal_during_the_pre_check(bench):
    """Nothing is sent any more, and everything is pending."""
    plan, _ = bench.sales(3)
    process = None
    bench.world.on_request.append(lambda _: process.send_signal(signal.SIGTERM))
    process = bench.start("run", plan, "--yes", "--json")
    said = finish(process)
    assert (said.code, said.totals(), bench.detaches()) == (143, {"pending": 3}, [])


def test_a_signal_when_all_was_settled(bench):
    """When the requests in flight were the last ones, nothing is left to resume: the run has succeeded."""
    plan, _ = bench.sales(1)
    said = bench.struck(signal.SIGTERM, 1, "run", plan, "--yes", "--json")
    assert (said.code, said.totals(), said.report["run"]["status"]) == (0, {"detached": 1}, "succeeded")


def test_the_second_signal_leaves_at_once(bench):
    """It does not wait for a request that hangs; a resume finds out what became of it."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["hang_after"])
    bench.configure(accounts={"unpod-main": {"timeout": "60s"}})
    process = None
    bench.at_detach(2, lambda: process.send_signal(signal.SIGTERM))
    process = bench.start("run", plan, "--yes")
    for line in process.stderr:
        if line.startswith("interrupted"):
            process.send_signal(signal.SIGTERM)
            break
    assert finish(process).code == 143
    said = bench.resume()
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert bench.world.useless_detaches() == []


def test_a_lost_terminal_ends_no_run_that_asked_nothing(bench):
    """With --yes, SIGHUP is no reason to stop."""
    plan, _ = bench.sales(6)
    said = bench.struck(signal.SIGHUP, 2, "run", plan, "--yes", "--json")
    assert (said.code, said.totals()) == (0, {"detached": 6})


@pytest.mark.parametrize("answer", ["n\n", "\x04"])
def test_declining_at_the_prompt(bench, answer):
    """Anything but yes sends nothing: blocked, exit 3, and the report says why."""
    plan, _ = bench.sales(3)
    with Terminal("run", plan) as terminal:
        terminal.expect("Detach 3 numbers? Their calls stop at once. [y/N]")
        assert bench.detaches() == []
        terminal.type(answer)
        assert terminal.finish() == 3
    assert "nothing was sent: the run was not confirmed" in terminal.text
    assert bench.detaches() == []


def test_agreeing_at_the_prompt(bench):
    """The preview comes before the question, and after a yes the numbers are detached."""
    plan, listed = bench.sales(3)
    with Terminal("run", plan) as terminal:
        terminal.expect("[y/N]")
        assert "unpod-main/sales  3 to detach of 3 attached (100 %)" in terminal.text
        terminal.type("yes\n")
        assert terminal.finish() == 0
    assert sorted(entry.number for entry in bench.detaches()) == listed
    assert "Succeeded: 3 numbers planned" in terminal.text


@pytest.mark.parametrize(("answer", "code"), [("test-plan", 0), ("y", 3), ("test-plam", 3), ("", 3)])
def test_many_numbers_want_the_name_of_the_plan(bench, answer, code):
    """Above a hundred numbers only the plan's own name is a yes; anything else sends nothing."""
    plan, _ = bench.sales(101)
    with Terminal("run", plan, "--no-progress") as terminal:
        terminal.expect("Detach 101 numbers? Their calls stop at once.")
        terminal.expect("Type test-plan to go on: ")
        terminal.type(f"{answer}\n")
        assert terminal.finish() == code
    assert len(bench.detaches()) == (101 if code == 0 else 0)
    assert ("is not the plan's name" in terminal.text) == (code == 3 and answer != "")


def test_ctrl_c_at_the_prompt(bench):
    """It interrupts the run before anything was sent: 130, and it may be resumed."""
    plan, _ = bench.sales(2)
    with Terminal("run", plan) as terminal:
        terminal.expect("[y/N]")
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert bench.detaches() == []
    assert bench.resume().totals() == {"detached": 2}


def test_nothing_to_confirm_is_not_asked(bench):
    """When everything is detached already there is no question, and the run succeeds."""
    plan, listed = bench.sales(2)
    for number in listed:
        bench.world.detach("unpod", "sales", number)
    with Terminal("run", plan) as terminal:
        assert terminal.finish() == 0
    assert "[y/N]" not in terminal.text


def test_live_progress_leaves_stdout_pure(bench):
    """On a terminal there is a live display, on stderr alone: with --json stdout holds the report and nothing else."""
    plan, listed = bench.sales(12)
    bench.slow_down(listed, 0.1)
    read, write = os.pipe()
    with Terminal("run", plan, "--yes", "--json", stdout=write) as terminal:
        os.close(write)
        assert terminal.finish() == 0
    with os.fdopen(read) as stdout:
        assert stdout.read().startswith('{"schema":"teardown.report/1"')
    assert "\x1b[" in terminal.text
    assert "detaching" in terminal.text


@pytest.mark.parametrize("options", [["--no-color"], ["--no-progress", "--no-color"]])
def test_no_colour_on_a_terminal(bench, options):
    """--no-color keeps colours off a terminal; --no-progress keeps the display off."""
    plan, listed = bench.sales(4)
    bench.slow_down(listed, 0.3)
    with Terminal("run", plan, "--yes", *options) as terminal:
        assert terminal.finish() == 0
    assert not [code for code in ("\x1b[31m", "\x1b[32m", "\x1b[1;32m") if code in terminal.text]
    assert ("ETA" in terminal.text) == ("--no-progress" not in options)


def test_lines_of_progress_without_a_terminal(bench):
    """Without a terminal each phase is a line on stderr; --no-progress and -q keep them away."""
    plan, _ = bench.sales(2)
    lines = call("run", plan, "--yes").err.splitlines()
    assert "teardown: pre-check" in lines
    assert any(line.startswith("teardown: 2/2 detached 2") for line in lines)
    assert "teardown: " not in call("check", plan, "--no-progress").err
    assert call("check", plan, "-q").err == ""


def test_resume_after_two_interruptions(bench):
    """A run may be interrupted again and again; each resume goes on where the last one stopped."""
    listed = numbers(15, 101)
    plan, _ = bench.sales(15)
    bench.slow_down(listed, 0.02)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    assert bench.struck(signal.SIGINT, 3, "run", plan, "--yes").code == 130
    assert bench.struck(signal.SIGINT, 6, "resume", "--yes").code == 130
    said = bench.resume()
    assert (said.code, said.totals()) == (0, {"detached": 15})
    assert sorted(entry.number for entry in bench.detaches()) == listed
