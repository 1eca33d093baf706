"""The health gate: asked before each batch, it pauses a run or stops it, and never lets a bad answer pass."""

import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bench import bridge, numbers


@contextmanager
def health(*statuses):
    """Serve /health, which answers the statuses one after the other and the last one from then on; give its address."""
    asked = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(statuses[min(len(asked), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/health", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_asked_before_each_batch(bench):
    """One question a batch, and all is detached while the answers are good."""
    with health(200) as (url, asked):
        plan, _ = bench.sales(4, batches=[1, 3], gate={"url": f"{url}?key=1"})
        assert bench.run(plan).totals() == {"detached": 4}
    assert asked == ["/health?key=1"] * 2


def test_stops_before_the_first(bench):
    """A bad answer before anything was sent blocks the run: exit 3, nothing sent, and the query is not shown."""
    with health(503) as (url, _):
        plan, listed = bench.sales(2, gate={"url": f"{url}?key=hidden"})
        said = bench.run(plan)
    assert (said.code, said.outcomes()) == (3, dict.fromkeys(listed, "pending"))
    assert f"guards.gate: {url} answered HTTP 503" in said.notes
    assert "hidden" not in said.err + said.out
    assert bench.detaches() == []


def test_stops_between_batches(bench):
    """A bad answer after the first batch stops the run as any guard does: exit 5, the rest pending, resumable."""
    with health(204, 500, 200) as (url, _):
        plan, listed = bench.sales(3, batches=[1], gate={"url": url})
        said = bench.run(plan)
        assert (said.code, list(said.outcomes().values())) == (5, ["detached", "pending", "pending"])
        assert "guard.tripped" in [event["event"] for event in bench.log(said)]
        assert bench.resume().outcomes() == dict.fromkeys(listed, "detached")


def test_pauses_until_it_is_well_again(bench):
    """With on_fail pause the same run goes on by itself, and says meanwhile that it waits."""
    with health(200, 500, 500, 200) as (url, asked):
        plan, _ = bench.sales(2, batches=[1], gate={"url": url, "on_fail": "pause", "every": "10ms"})
        said = bench.run(plan)
    assert (said.code, said.totals(), len(asked)) == (0, {"detached": 2}, 4)
    events = [event["event"] for event in bench.log(said)]
    assert (events.count("gate.closed"), events.count("gate.opened")) == (1, 1)


@pytest.mark.parametrize("on_fail", ["stop", "pause"])
def test_whoever_stops_waits_for_no_answer(bench, on_fail):
    """A signal while the gate is asked ends the run at once: nothing would be sent whatever the answer is."""
    command = ["sh", "-c", "kill -TERM $PPID; exec sleep 600"]
    plan, listed = bench.sales(2, gate={"command": command, "timeout": "10m", "on_fail": on_fail})
    said = bench.process("run", plan, "--yes", "--json")
    assert (said.code, said.outcomes()) == (143, dict.fromkeys(listed, "pending"))
    assert said.report["run"]["notes"] == ["interrupted by signal 15"]


def test_a_pause_that_is_ended_is_not_an_opened_gate(bench):
    """Whoever stops a paused run finds in the log that the gate was closed, and not that it has opened."""
    command = ["sh", "-c", "kill -TERM $PPID; exit 1"]
    plan, _ = bench.sales(1, gate={"command": command, "on_fail": "pause", "every": "10m"})
    said = bench.process("run", plan, "--yes", "--json")
    assert said.code == 143
    assert "gate.opened" not in [event["event"] for event in bench.log(said)]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ([sys.executable, "-c", "print('calls are failing'); raise SystemExit(7)"], "exit status 7: calls are failing"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "not done within 0.5 s, and killed"),
    ],
)
def test_a_command_that_fails(bench, command, sentence):
    """A command is bad when it does not end with status 0 in time; what it said last is shown."""
    plan, _ = bench.sales(1, gate={"command": command, "timeout": "500ms"})
    said = bench.run(plan)
    assert said.code == 3
    assert sentence in said.notes


def test_a_command_that_is_well(bench):
    """A command that ends with status 0 lets the batch through; a dry run asks nothing."""
    marks = bench.folder / "asked"
    command = [sys.executable, "-c", f"open({str(marks)!r}, 'a').write('x')"]
    plan, _ = bench.sales(1, gate={"command": command})
    assert bench.check(plan).code == 0
    assert not marks.exists()
    assert bench.run(plan).totals() == {"detached": 1}
    assert marks.read_text(encoding="utf-8") == "x"


def test_nobody_answers(bench):
    """An address that nobody answers at is a bad answer."""
    plan, _ = bench.sales(1, gate={"url": "http://127.0.0.1:9/health"})
    said = bench.run(plan)
    assert (said.code, bench.detaches()) == (3, [])
    assert "http://127.0.0.1:9/health could not be asked" in said.notes


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        ({}, "`gate` asks one thing: give either `url` or `command`"),
        ({"url": "http://localhost/", "command": "true"}, "`gate` asks one thing: give either `url` or `command`"),
        ({"url": "localhost"}, "is not the address of"),
        ({"command": "no-such-program-here"}, "there is no program 'no-such-program-here' that may be started"),
    ],
)
def test_refused(bench, gate, sentence):
    """A gate that could not be asked is refused before anything is sent: exit 2 and a sentence."""
    plan = bench.plan(bridge("sales", numbers(1)), guards={"gate": gate})
    said = bench.run(plan)
    assert said.code == 2
    assert sentence in said.err
    assert bench.detaches() == []
