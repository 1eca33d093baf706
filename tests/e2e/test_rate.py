"""The rate as a provider in another process counts it, and the one that is found where a config says `auto`."""

import json
import re
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest
from bench import PATIENCE, Bench, bridge, call, finish, gateway, numbers, serving

from runner.sandbox import Faults, World

pytestmark = pytest.mark.usefixtures("uncovered")


@contextmanager
def sandbox(bench, plan, *options):
    """Serve a sandbox from a process of its own, make the bench's config lead to it, and give its record at the end."""
    process = bench.start("sandbox", "--port", "0", "--plan", plan, *options, stderr=subprocess.DEVNULL)
    try:
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://127[\d.:]+", line)))

        def record():
            with urllib.request.urlopen(f"{url}/_sandbox/record", timeout=PATIENCE) as answer:  # noqa: S310 - our own
                return json.load(answer)

        yield url, record
    finally:
        process.terminate()
        finish(process)


@pytest.mark.parametrize(
    ("rate", "faults"), [(10, "lost_before=5%"), (60, "http_429=3%:1s,lost_before=2%"), (300, "lost_before=1%")]
)
def test_no_second_is_above_the_rate(bench, rate, faults):
    """Reads and writes together, and through pauses: the busiest second has at most the rate, and hardly fewer.

    A machine that stalls the provider makes it count late what came in time, so it gets three chances.
    """
    listed = numbers(rate * 2)
    for _ in range(3):
        plan = bench.plan(bridge("sales", listed))
        with sandbox(bench, plan, "--faults", faults) as (url, record):
            bench.configure(accounts={"unpod-main": {"base_url": url, "rate": f"{rate}/s", "concurrency": 16}})
            said = bench.process("run", plan, "--yes", "--json", "--no-progress")
            seen = record()
        assert (said.code, said.totals()) == (0, {"detached": len(listed)})
        assert len(seen["requests"]) > len(listed)
        busiest = seen["busiest_second"]["unpod"]
        if 0.5 * rate <= busiest <= rate:
            return
    assert 0.5 * rate <= busiest <= rate


# -- rate: auto


@pytest.fixture
def limited(tmp_path, monkeypatch):
    """Give a bench whose providers take 40 requests in any second; Unpod says so in its answers, VideoSDK does not."""
    monkeypatch.setenv("TEARDOWN_STATE_DIR", str(tmp_path / "state"))
    faults, limits = Faults(), {"unpod": 40, "videosdk": 40}
    with serving(World(show_configurations=True), faults=faults, rate_limits=limits) as server:
        yield Bench(tmp_path, server, faults)


def test_a_limit_that_is_told_is_used_at_once(limited):
    """Where answers name the limit, no request is refused, and the report has the rate that was kept."""
    limited.configure(accounts={"unpod-main": {"rate": "auto"}})
    plan, listed = limited.sales(60)
    said = limited.run(plan)
    (lane,) = said.report["lanes"]
    assert (said.code, said.totals()) == (0, {"detached": len(listed)})
    assert (lane["throttled"], lane["rate"]) == (0, 38.8)
    assert 20 <= limited.world.busiest_second("unpod") <= 40


def test_a_limit_that_nobody_tells_is_found(limited):
    """The rate grows until the provider refuses, and stays close below; every number is detached all the same."""
    limited.configure(retry={"max_throttle_wait": "30s"}, accounts={"videosdk-main": {"rate": "auto"}})
    listed = numbers(150)
    for number in listed:
        limited.world.videosdk.attach(number, "gw_1")
    said = limited.run(limited.plan(gateway(listed, "gw_1")), "--no-verify")
    (lane,) = said.report["lanes"]
    assert (said.code, said.totals()) == (0, {"detached": len(listed)})
    assert lane["throttled"] < 0.1 * lane["requests"]
    assert 15 < lane["rate"] < 60


def test_a_bound_on_what_is_tried(bench):
    """``max_rate`` is never exceeded, with ``auto`` from the command line too."""
    bench.configure(accounts={"unpod-main": {"max_rate": "8/s", "rate": "6/s"}})
    plan, _ = bench.sales(16)
    said = bench.run(plan, "--rate", "unpod-main=auto")
    assert (said.code, said.report["lanes"][0]["rate"]) == (0, 8.0)
    assert bench.world.busiest_second("unpod") <= 8


def test_a_preview_says_that_the_rate_is_to_be_found(bench):
    """The estimate is one at the rate where the search begins, and says so."""
    bench.configure(accounts={"unpod-main": {"rate": "auto"}})
    plan, _ = bench.sales(20)
    said = bench.check(plan)
    assert "unpod-main  about 22 requests, about 4 s at 5/s, where rate: auto begins" in said.err


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        ({"rate": "automatic"}, "'automatic' is not a rate; write it like 10/s or 300/min, above zero; or auto"),
        ({"rate": "auto", "max_rate": "auto"}, "`max_rate`: 'auto' is not a rate; write it like 10/s or 300/min"),
        ({"rate": "20/s", "max_rate": "10/s"}, "`rate` is above `max_rate`; lower it, or make it auto"),
    ],
)
def test_what_is_no_rate_is_refused(bench, account, sentence):
    """In one sentence with its place, exit 2, and nothing is sent."""
    bench.configure(accounts={"unpod-main": account})
    plan, _ = bench.sales(1)
    said = call("run", plan, "--yes")
    assert (said.code, bench.record) == (2, [])
    assert sentence in said.err
    assert "config.yaml:" in said.err


def test_the_option_refuses_what_is_no_rate(bench):
    """It takes the same words as the config."""
    plan, _ = bench.sales(1)
    said = call("run", plan, "--yes", "--rate", "unpod-main=automatic")
    assert (said.code, bench.record) == (2, [])
    assert "or auto, to find out what the provider takes" in said.err
