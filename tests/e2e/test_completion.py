"""What a tab offers: in the shells themselves where they are installed, and word by word."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from bench import ONE, THREE, TWO, bridge, call, gateway
from terminal import Terminal

from runner.cli import main

SETUP = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(teardown completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -Uz compinit; compinit -u; eval "$(teardown completion zsh)"'),
    "fish": (["--no-config", "--interactive"], "teardown completion fish | source"),
}


@pytest.fixture
def ran(bench):
    """Two runs of plans with different names, newest first."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    plans = [bench.plan(bridge("sales", [number]), name=f"of {number[-4:]}") for number in (ONE, TWO)]
    return [bench.run(plan).report["run"] for plan in plans][::-1]


def tab(line, monkeypatch, capfd):
    """Give what the shell is told for a line: words and what they stand for, or the kind of name it has to look for."""
    with monkeypatch.context() as patch:
        patch.setenv("_TEARDOWN_COMPLETE", "zsh_complete")
        patch.setenv("COMP_WORDS", line)
        patch.setenv("COMP_CWORD", str(line.count(" ")))
        patch.setattr(sys, "argv", ["teardown"])
        with pytest.raises(SystemExit):
            main()
    said = capfd.readouterr()
    assert said.err == ""
    lines = said.out.strip("\n").split("\n")
    return [
        (word if kind == "plain" else kind, meaning) for kind, word, meaning in zip(*[iter(lines)] * 3, strict=False)
    ]


@pytest.fixture
def offered(monkeypatch, capfd):
    """Give what is offered for a line that ends where the tab is pressed, as a mapping of words to meanings."""
    return lambda line: dict(tab(line, monkeypatch, capfd))


@pytest.mark.parametrize("shell", SETUP)
def test_a_tab_in_the_shell_itself_completes_the_id_of_a_run(shell, bench, monkeypatch):
    """The one run there is needs no more than its first letter, and the line then does what it says."""
    found = shutil.which(shell)
    if not found:
        pytest.skip(f"{shell} is not installed")
    plan, _ = bench.sales(1)
    run_id = bench.run(plan).report["run"]["id"]
    options, setup = SETUP[shell]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    with Terminal(*options, command=[found]) as terminal:
        terminal.type(f"{setup}; echo re''ady\n")
        terminal.expect("ready")
        terminal.type("teardown report 2\t")
        terminal.expect(run_id)
        terminal.type("--format csv\n")
        terminal.expect("number,account")
        terminal.type("exit\n")


def test_runs_are_offered_newest_first_with_plan_and_status(ran, offered):
    """Whoever looks at a run mostly means the newest one."""
    assert list(offered("teardown status ").items()) == [
        (run["id"], f"{run['plan']['name']}, succeeded") for run in ran
    ]
    assert list(offered(f"teardown report {ran[0]['id'][:-1]}")) == [ran[0]["id"]]


def test_only_runs_that_fit_the_command_are_offered(ran, bench, offered):
    """A finished run can be neither steered nor resumed, and a dry run not be rolled back."""
    assert offered("teardown pause ") == offered("teardown resume ") == {}
    bench.check(bench.sales(1)[0])
    assert list(offered("teardown rollback ")) == [run["id"] for run in ran]
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["http_500_before"] * 9)
    failed = bench.run(plan)
    assert list(offered("teardown resume ")) == [failed.report["run"]["id"]]
    bench.world.unpod.add_bridge("support", [THREE])
    bench.slow_down([THREE], 5)
    with bench.at_work(1, bench.plan(bridge("support", [THREE]))):
        assert len(offered("teardown stop ")) == 1


def test_accounts_are_offered_with_their_providers(bench, offered):
    """They come from the config, wherever an account is asked for."""
    assert offered("teardown check --only ") == {"unpod-main": "an account", "videosdk-main": "an account"}
    assert offered("teardown run --rate v") == {"videosdk-main=1000/s": "the config's rate"}


def test_the_targets_of_the_plan_at_hand_are_offered(bench, offered):
    """Once the line names a plan, its accounts and targets are what can be chosen."""
    plan = bench.plan(bridge("sales", [ONE]), bridge("support", [TWO]), gateway([ONE], "gw_1"))
    assert offered(f"teardown run {plan.name} --yes --exclude unpod-main/s") == {
        "unpod-main/sales": "one bridge",
        "unpod-main/support": "one bridge",
    }
    assert list(offered(f"teardown --quiet run {plan.name} --only ")) == [
        "unpod-main",
        "videosdk-main",
        "unpod-main/sales",
        "unpod-main/support",
        "videosdk-main/gw_1",
    ]


def test_plans_are_left_to_the_shell(offered):
    """It knows files, folders, and how to quote them."""
    assert list(offered("teardown run pl")) == ["file"]


@pytest.mark.parametrize("broken", ["accounts: [", "- 1", "accounts: {a: 1, b: [2]}", ""])
def test_a_tab_never_ends_in_an_error(broken, bench, offered):
    """A broken config, ledger or plan offers nothing, and says nothing either."""
    Path("config.yaml").write_text(broken, encoding="utf-8")
    Path("plan.yaml").write_text(broken, encoding="utf-8")
    bench.state.mkdir()
    (bench.state / "ledger.db").write_text("no ledger")
    assert not offered("teardown run --rate ")
    assert offered("teardown run plan.yaml --only ").keys() <= {"a", "b"}
    assert not offered("teardown status ")
    assert not offered("teardown --config nowhere.yaml run --rate ")


def test_a_tab_makes_no_state_folder(bench, offered):
    """Looking leaves nothing behind."""
    assert not offered("teardown status ")
    assert not bench.state.exists()


def test_an_unknown_shell_is_refused(bench):
    """The sentence names those that are known."""
    said = call("completion", "tcsh")
    assert (said.code, "'bash', 'zsh', 'fish'" in said.err) == (2, True)
