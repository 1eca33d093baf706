"""Exit codes of the real process, and what stands behind each of them."""

import socket
import time

import pytest
from bench import BRIDGES, ONE, TWO, bridge, call, environment, gateway, numbers


def test_0_when_all_is_done(bench):
    """Detached, already detached and protected: success, and nothing but the report on stdout."""
    plan, _ = bench.sales(3, protect=["+14155550101"])
    bench.world.detach("unpod", "sales", "+14155550102")
    said = bench.process("run", plan, "--yes", "--json")
    assert (said.code, said.totals()) == (0, {"detached": 1, "already_detached": 1, "skipped": 1})


def test_2_without_a_terminal_and_without_yes(bench):
    """Nothing is sent, not even a read, and a sentence says what is missing."""
    plan, _ = bench.sales()
    said = bench.process("run", plan)
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: nothing was sent: without a terminal to ask on, a run needs --yes\n"
    assert list(bench.record) == []


def test_3_when_it_is_blocked(bench):
    """A guard refused: the report is there, all is pending, and no detach was sent."""
    plan, _ = bench.sales(4, max_numbers=2)
    said = bench.process("run", plan, "--yes", "--json")
    assert (said.code, said.totals(), bench.detaches()) == (3, {"pending": 4}, [])
    assert said.report["run"]["exit_code"] == 3


def test_4_when_something_failed(bench):
    """A number is known to be still attached."""
    plan, listed = bench.sales()
    bench.faults.script(listed[0], ["business_206"] * 5)
    said = bench.process("run", plan, "--yes", "--json")
    assert (said.code, said.totals()) == (4, {"detached": 3, "failed": 1})


def test_5_when_an_account_is_refused(bench):
    """401 part-way: its lane stops after at most ``concurrency`` refusals and is pending; the other one finishes."""
    theirs, ours = numbers(30), numbers(30, 500)
    bench.world.unpod.add_bridge("sales", theirs)
    for number in ours:
        bench.world.videosdk.attach(number, "gw_1")
    bench.slow_down([*theirs, *ours], 0.02)
    bench.at_detach(12, lambda: bench.world.revoked.add("unpod"))
    said = bench.process("run", bench.plan(bridge("sales", theirs), gateway(ours, "gw_1")), "--yes", "--json")
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    outcomes = said.outcomes()
    assert {outcomes[number] for number in ours} == {"detached"}
    assert {outcomes[number] for number in theirs} == {"detached", "pending"}
    gone = [number for number in theirs if not bench.world.attached("unpod", "sales", number)]
    assert [number for number in theirs if outcomes[number] == "detached"] == gone
    refused = [entry for entry in bench.record if entry.status == 401]
    assert 1 <= len(refused) <= 4
    assert {said.rows[entry.number]["error"]["http_status"] for entry in refused} == {401}
    assert "unpod-main: the provider refuses the account's credentials" in said.notes
    stopped = [event["account"] for event in bench.log(said) if event["event"] == "lane.stopped"]
    assert stopped == ["unpod-main"]
    assert bench.world.useless_detaches() == []


def test_lanes_work_side_by_side(bench):
    """One account's slowness holds up no other: both are at work at the same time."""
    theirs, ours = numbers(8), numbers(8, 500)
    bench.world.unpod.add_bridge("sales", theirs)
    for number in ours:
        bench.world.videosdk.attach(number, "gw_1")
    bench.slow_down([*theirs, *ours], 0.05)
    said = bench.run(bench.plan(bridge("sales", theirs), gateway(ours, "gw_1")))
    assert said.code == 0
    order = [entry.provider for entry in bench.detaches()]
    assert order.index("videosdk") < 8
    assert order.index("unpod") < 8


def test_3_when_the_token_was_never_good(bench):
    """Refused in the pre-check: blocked before the first detach."""
    plan, _ = bench.sales()
    bench.world.revoked.add("unpod")
    said = bench.run(plan)
    assert (said.code, said.totals(), bench.detaches()) == (3, {"pending": 4}, [])


def test_3_when_nobody_listens(bench):
    """Connections refused from the start: blocked, and all is pending."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    plan, _ = bench.sales()
    bench.configure(accounts={"unpod-main": {"base_url": address}})
    said = bench.run(plan)
    assert (said.code, said.totals()) == (3, {"pending": 4})
    assert "could not connect to 127.0.0.1:" in said.notes
    assert said.notes.endswith(": Connection refused")


def test_5_when_the_provider_stays_away(bench):
    """It answers no more: the run ends once its patience does; what was sent is unknown, the rest pending."""
    plan, listed = bench.sales(20)
    bench.configure(retry={"max_delay": "100ms"})

    def leave():
        bench.faults.script_reads(BRIDGES, ["read_lost"] * 10_000)
        for number in listed:
            bench.faults.script(number, ["lost_after"] * 10)

    bench.at_detach(3, leave)
    said = bench.run(plan)
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    assert {"unknown", "pending"} <= set(said.totals())
    assert "has not answered for" in said.notes
    assert bench.world.useless_detaches() == []


def test_429_is_obeyed_by_the_whole_lane(bench):
    """Retry-After pauses every request of the lane, spends no attempt, and is counted."""
    plan, listed = bench.sales(8)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.faults.script(listed[2], ["http_429"])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 8})
    times = [entry.at for entry in bench.record]
    throttled = next(entry.at for entry in bench.record if entry.status == 429)
    assert not [at for at in times if throttled < at < throttled + 0.98]
    assert said.report["lanes"][0]["throttled"] == 1
    event = next(event for event in bench.log(said) if event["event"] == "lane.throttled")
    assert (event["account"], event["wait_s"]) == ("unpod-main", 1.0)


@pytest.mark.parametrize(("fault", "confirmed_by"), [("http_503", "response"), ("http_503_after", "verification")])
def test_503_is_looked_at(bench, fault, confirmed_by):
    """It may have been done: a look comes before another attempt."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], [fault])
    said = bench.run(plan)
    assert (said.code, said.rows[listed[0]]["confirmed_by"]) == (0, confirmed_by)
    assert bench.world.useless_detaches() == []


def test_5_when_it_throttles_for_ever(bench):
    """Longer than max_throttle_wait in all is not waited for: pending, exit 5, and known to be not done."""
    plan, listed = bench.sales(3)
    bench.configure(retry={"max_throttle_wait": "500ms"})
    for number in listed:
        bench.faults.script(number, ["http_429"] * 9)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (5, {"pending": 3})
    assert "retry.max_throttle_wait" in said.notes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "Missing argument 'PLAN'"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run", "missing.yaml", "--yes"], "missing.yaml"),
        (["run", "PLAN", "--yes", "--rate", "unpod-main"], "is not ACCOUNT=RATE"),
        (["run", "PLAN", "--yes", "--rate", "unpod-main=fast"], "is not a rate"),
        (["run", "PLAN", "--yes", "--rate", "nobody=5/s"], "--rate: the plan uses no account 'nobody'"),
        (["run", "PLAN", "--yes", "--concurrency", "0"], "--concurrency"),
        (["run", "PLAN", "--yes", "--deadline", "soon"], "is not a duration"),
        (["run", "PLAN", "--yes", "--deadline", "0s"], "--deadline"),
        (["run", "PLAN", "--yes", "--report", "out.doc"], "let it end in .json, .csv, .md, .html or .xml"),
        (["run", "PLAN", "--yes", "--config", "nowhere.yaml"], "nowhere.yaml does not exist"),
        (["report", "20260101T000000000Z-0000"], "there is no run"),
        (["status", "20260101T000000000Z-0000"], "there is no run"),
        (["schema", "cake"], "cake"),
    ],
)
def test_2_for_wrong_usage(bench, arguments, sentence):
    """A sentence on stderr that names the place, nothing on stdout, nothing sent."""
    plan, _ = bench.sales(1)
    said = call(*(str(plan) if each == "PLAN" else each for each in arguments))
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert list(bench.record) == []


def test_2_for_a_secret_that_is_not_there(bench, monkeypatch):
    """The place of the reference and the variable are named, and nothing was sent."""
    plan, _ = bench.sales(1)
    monkeypatch.delenv("E2E_TOKEN")
    said = call("run", plan, "--yes")
    assert (said.code, list(bench.record)) == (2, [])
    assert f"{bench.folder / 'config.yaml'}:" in said.err.replace("config.yaml:", f"{bench.folder / 'config.yaml'}:", 1)
    assert "E2E_TOKEN" in said.err


def test_2_without_any_config(bench):
    """A run for real needs accounts; the sentence says what to do."""
    plan, _ = bench.sales(1)
    (bench.folder / "config.yaml").unlink()
    said = call("run", plan, "--yes")
    assert (said.code, list(bench.record)) == (2, [])
    assert "there is no config with accounts; see config.example.yaml, or try --sandbox" in said.err


def test_2_for_every_problem_at_once(bench):
    """A plan with several mistakes names them all, each with its line and column."""
    path = bench.folder / "bad.yaml"
    path.write_text(
        "version: 1\nname: bad\ncolour: red\nteardown:\n  - account: unpod-main\n    bridge: sales\n"
        "    numbers: [+14155550101, '(415) 555-0102', +14155550101]\n"
    )
    said = call("run", path, "--yes")
    assert said.code == 2
    for place in ("bad.yaml:3:1: ", "bad.yaml:7:29: ", "bad.yaml:7:47: "):
        assert place in said.err
    assert list(bench.record) == []


def test_2_for_a_state_folder_that_cannot_be_used(bench):
    """A file where the folder should be: a sentence with the mend, and nothing is sent."""
    plan, _ = bench.sales(1)
    (bench.folder / "file").write_text("")
    said = call("run", plan, "--yes", "--state-dir", bench.folder / "file" / "state")
    assert said.code == 2
    assert "give another --state-dir" in said.err
    assert list(bench.record) == []


def test_75_while_another_run_is_alive(bench):
    """The real process says who holds the lane."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["hang_before"])
    with bench.at_work(1, plan):
        said = bench.process("run", plan, "--yes")
    assert (said.code, said.out) == (75, "")
    assert "account unpod-main is held by run" in said.err


def test_rate_is_never_exceeded(bench):
    """--rate wins over the config: no sliding second sees more requests, looks and retries included."""
    plan, listed = bench.sales(24)
    bench.faults.script(listed[3], ["lost_before"])
    started = time.monotonic()
    said = bench.run(plan, "--rate", "unpod-main=20/s")
    assert (said.code, said.report["lanes"][0]["rate"]) == (0, 20.0)
    assert bench.world.busiest_second("unpod") <= 20
    assert time.monotonic() - started >= (len(bench.record) - 20) / 20


def test_concurrency_is_never_exceeded(bench):
    """--concurrency wins over the config: no more requests are under way at once."""
    plan, listed = bench.sales(9)
    bench.slow_down(listed, 0.05)
    under_way = []
    bench.world.on_request.append(lambda _: under_way.append(sum(each.status is None for each in bench.record)))
    assert bench.run(plan, "--concurrency", "3").code == 0
    assert max(under_way) == 3


def test_one_number_at_two_bridges(bench):
    """Each item has its own outcome, although the number is the same."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [ONE, TWO])
    said = bench.run(bench.plan(bridge("sales", [ONE]), bridge("other", [ONE])))
    assert [(row["target"], row["outcome"]) for row in said.report["numbers"]] == [
        ("sales", "detached"),
        ("other", "detached"),
    ]
    assert bench.world.attached("unpod", "other", TWO)


def test_1_for_a_bug(bench):
    """An error that nobody foresaw, here in somebody else's provider: one sentence with its place, no traceback."""
    info = bench.folder / "theirs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[teardown.providers]\ntheirs = theirs\n")
    (bench.folder / "theirs.py").write_text("\n1 / 0\n")
    said = bench.process("providers", env=environment(PYTHONPATH=str(bench.folder)))
    assert (said.code, said.out) == (1, "")
    assert said.err == "error: a bug in teardown (ZeroDivisionError in theirs.py:2); please report it\n"
