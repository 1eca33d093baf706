"""Commands of the user's: when they are started, what they are told, and that they change nothing but a veto."""

import json
import os
import select
import signal
import sys

from bench import ONE, PATIENCE, bridge, call, finish

WRITE = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
"""A program that writes the environment it was started with into the file that it is given."""


def writing(bench, name):
    """A command that leaves its environment behind."""
    return [sys.executable, "-c", WRITE, str(bench.folder / name)]


def variables(bench, name):
    """What a hook was told."""
    told = json.loads((bench.folder / name).read_text())
    return {key: value for key, value in told.items() if key.startswith("TEARDOWN_")}


def events(bench, said, name):
    """The log's lines of one event."""
    return [line for line in bench.log(said) if line["event"] == name]


def test_start_and_finish(bench):
    """Both are told of their run by variables; the last one what became of it, with every count."""
    bench.configure(hooks={"start": writing(bench, "start"), "finish": writing(bench, "finish")})
    plan, _ = bench.sales(3)
    said = bench.run(plan)
    run_id, folder = said.report["run"]["id"], bench.run_folder(said)
    common = {"TEARDOWN_RUN_ID": run_id, "TEARDOWN_PLAN": "test-plan", "TEARDOWN_RUN_DIR": str(folder)}
    common |= {"TEARDOWN_STATE_DIR": str(bench.state), "TEARDOWN_CONFIG": str(bench.folder / "config.yaml")}
    assert variables(bench, "start") == {**common, "TEARDOWN_HOOK": "start", "TEARDOWN_TO_DETACH": "3"}
    counts = {f"TEARDOWN_{name.upper()}": str(count) for name, count in said.report["totals"].items()}
    assert variables(bench, "finish") == {
        **common,
        **counts,
        "TEARDOWN_HOOK": "finish",
        "TEARDOWN_STATUS": "succeeded",
        "TEARDOWN_EXIT_CODE": "0",
        "TEARDOWN_REPORT": str(folder / "report.json"),
        "TEARDOWN_MESSAGE": "Succeeded: 3 numbers planned, and none is left to do.",
    }
    assert [line["hook"] for line in events(bench, said, "hook.finished")] == ["start", "finish"]


def test_start_comes_before_the_first_detach(bench):
    """After the pre-check, before anything is sent."""
    bench.configure(hooks={"start": writing(bench, "start")})
    plan, _ = bench.sales(2)
    there = []
    bench.world.on_request.append(lambda entry: there.append((entry.kind, (bench.folder / "start").exists())))
    assert bench.run(plan).code == 0
    assert ("read", False) in there
    assert {exists for kind, exists in there if kind == "detach"} == {True}


def test_nothing_to_send_starts_nothing(bench):
    """Where every number is gone already, and where the run is blocked, only its end is told."""
    bench.configure(hooks={"start": writing(bench, "start"), "finish": writing(bench, "finish")})
    plan, listed = bench.sales(2)
    for number in listed:
        bench.world.detach("unpod", "sales", number)
    assert bench.run(plan).code == 0
    blocked, _ = bench.sales(3, max_numbers=2)
    assert bench.run(blocked).code == 3
    assert not (bench.folder / "start").exists()
    assert variables(bench, "finish")["TEARDOWN_STATUS"] == "blocked"


def test_failure_comes_before_finish(bench):
    """A run with an exit code above 0 starts both, and knows the code."""
    trail = (
        "import os, sys; print(os.environ['TEARDOWN_HOOK'], os.environ['TEARDOWN_EXIT_CODE'], file=open('trail', 'a'))"
    )
    command = [sys.executable, "-c", trail]
    bench.configure(hooks={"failure": command, "finish": command})
    plan, (number,) = bench.sales(1)
    bench.faults.script(number, ["lying_200"])
    assert bench.run(plan).code == 4
    assert (bench.folder / "trail").read_text().splitlines() == ["failure 4", "finish 4"]
    assert bench.resume("--retry-failed").code == 0
    assert (bench.folder / "trail").read_text().splitlines()[2:] == ["finish 0"]


def test_a_required_start_hook_that_fails_is_a_veto(bench):
    """Nothing is sent, exit 3, and the report says why; without `required` it is a warning."""
    command = [sys.executable, "-c", "print('the freeze is on'); raise SystemExit(7)"]
    bench.configure(hooks={"start": command, "required": "true"})
    plan, _ = bench.sales(2)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (3, {"pending": 2})
    assert said.notes == "nothing was sent: the start hook failed (exit status 7), and hooks.required is set"
    assert bench.detaches() == []
    bench.configure(hooks={"start": command})
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 2})
    (failed,) = events(bench, said, "hook.failed")
    assert (failed["hook"], failed["error"], failed["said"]) == ("start", "exit status 7", "the freeze is on")


def test_a_veto_on_the_way_is_no_block(bench):
    """A resume that its start hook forbids was not stopped before the first detach: aborted, exit 5."""
    bench.configure(accounts={"unpod-main": {"concurrency": 1, "rate": "50/s"}})
    plan, _ = bench.sales(6)
    assert bench.struck(signal.SIGTERM, 2, "run", plan, "--yes").code == 143
    bench.configure(hooks={"start": "false", "required": "true"})
    said = bench.resume()
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    assert "the start hook failed (exit status 1), and hooks.required is set" in said.notes


def test_a_hook_that_fails_afterwards_changes_nothing(bench):
    """Exit code and report stay what they were."""
    bench.configure(hooks={"finish": [sys.executable, "-c", "raise SystemExit(9)"], "required": "false"})
    plan, _ = bench.sales(2)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert [line["error"] for line in events(bench, said, "hook.failed")] == ["exit status 9"]


def test_a_hook_that_takes_too_long(bench):
    """It is killed with all that it started; the run ends as it would have."""
    os.mkfifo(bench.folder / "held")
    held = os.open(bench.folder / "held", os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = ["sh", "-c", "exec 3>held; sleep 3600 & echo started >&3; wait"]
        bench.configure(hooks={"finish": command, "timeout": "2s"})
        plan, _ = bench.sales(1)
        said = bench.run(plan)
        assert said.code == 0
        assert [line["error"] for line in events(bench, said, "hook.failed")] == ["not done within 2 s, and killed"]
        assert os.read(held, 100) == b"started\n"
        assert select.select([held], [], [], PATIENCE)[0] == [held], "somebody still has it open"
        assert os.read(held, 100) == b""
    finally:
        os.close(held)


def test_what_a_hook_leaves_running_is_not_waited_for(bench):
    """Something that it started, and that still holds its output, keeps nobody waiting."""
    bench.configure(hooks={"finish": ["sh", "-c", "sleep 3600 & echo $! >pid"], "timeout": "20s"})
    plan, _ = bench.sales(1)
    try:
        said = bench.run(plan)
        assert said.code == 0
        assert len(events(bench, said, "hook.finished")) == 1
    finally:
        os.kill(int((bench.folder / "pid").read_text()), signal.SIGKILL)


def test_output_goes_to_the_log(bench):
    """At debug, the end of it, without the addresses and tokens that the run knows."""
    chatter = "import os; print('x' * 9000); print('token', os.environ['E2E_TOKEN'])"
    bench.configure(hooks={"finish": [sys.executable, "-c", chatter]})
    plan, _ = bench.sales(1)
    said = bench.run(plan)
    (line,) = events(bench, said, "hook.output")
    assert line["level"] == "debug"
    assert line["output"].endswith("x\ntoken ***")
    assert len(line["output"]) <= 4096
    assert said.out.count("xxx") == said.err.count("xxx") == 0


def test_a_line_is_split_without_a_shell(bench):
    """Quotes group words; nothing is expanded."""
    (bench.folder / "hook.py").write_text("import sys; open('words', 'w').write(repr(sys.argv[1:]))")
    bench.configure(hooks={"finish": f"{sys.executable} hook.py 'two words' $HOME ;"})
    plan, _ = bench.sales(1)
    assert bench.run(plan).code == 0
    assert (bench.folder / "words").read_text() == "['two words', '$HOME', ';']"


def test_a_relative_program_is_found_beside_the_config(bench, tmp_path, monkeypatch):
    """Wherever the run is started from."""
    script = bench.folder / "hooks" / "mark"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ntouch {bench.folder}/marked\n")
    script.chmod(0o700)
    bench.configure(hooks={"finish": "hooks/mark"})
    plan, _ = bench.sales(1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert call("run", plan, "--yes", "--quiet", "--config", bench.folder / "config.yaml").code == 0
    assert (bench.folder / "marked").exists()


def test_dry_runs_and_rehearsals(bench):
    """A dry run starts hooks where that is asked for, a rehearsal none: it does not even need their programs."""
    bench.configure(hooks={"finish": writing(bench, "finish"), "start": "nowhere/to/be/found"})
    plan, _ = bench.sales(1)
    assert bench.check(plan).code == 0
    assert call("run", plan, "--yes", "--sandbox", "--quiet").code == 0
    assert not (bench.folder / "finish").exists()
    bench.configure(hooks={"finish": writing(bench, "finish"), "dry_run": "true"})
    assert bench.check(plan).code == 0
    assert variables(bench, "finish")["TEARDOWN_STATUS"] == "dry_run"


def test_a_program_that_is_not_there(bench):
    """It is refused with its place before anything is sent or recorded, not when it is needed."""
    bench.configure(hooks={"finish": ["no-such-program"]})
    plan, _ = bench.sales(1)
    said = call("run", plan, "--yes")
    assert said.code == 2
    assert "there is no program 'no-such-program' that may be started; correct the path, or install it" in said.err
    assert "config.yaml:" in said.err
    assert list(bench.record) == []
    assert not (bench.state / "ledger.db").exists()


def test_a_program_that_cannot_be_started(bench):
    """One that is there and is none after all has failed, like one that says so itself."""
    (bench.folder / "broken").write_text("#!/no/such/interpreter\n")
    (bench.folder / "broken").chmod(0o700)
    bench.configure(hooks={"start": "./broken", "required": "true"})
    plan, _ = bench.sales(1)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (3, {"pending": 1})
    assert "the start hook failed (cannot be started: No such file or directory)" in said.notes


def test_a_hook_may_run_another_plan(bench):
    """The account is free again, and config and ledger are the same wherever they are."""
    bench.world.unpod.add_bridge("later", [ONE])
    then = bench.plan(bridge("later", [ONE]))
    once = f'[ "$TEARDOWN_PLAN" = test-plan ] || exit 0; exec "{sys.executable}" -m runner run "{then}" --yes --quiet'
    bench.configure(hooks={"finish": ["sh", "-c", once]})
    plan, _ = bench.sales(1)
    then.write_text(then.read_text().replace("test-plan", "next-plan"))
    assert call("run", plan, "--yes", "--state-dir", "other", "--quiet").code == 0
    assert not bench.world.attached("unpod", "later", ONE)
    runs = call("status", "--json", "--state-dir", "other").report["runs"]
    assert [run["status"] for run in runs] == ["succeeded", "succeeded"]


def test_a_hook_may_not_resume_its_own_run(bench):
    """Its report is still being written; the refusal says so, and the run's outcome stands."""
    again = [sys.executable, "-m", "runner", "resume", "--yes", "--retry-failed"]
    bench.configure(hooks={"failure": again})
    plan, (number,) = bench.sales(1)
    bench.faults.script(number, ["lying_200"])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (4, {"failed": 1})
    (failed,) = events(bench, said, "hook.failed")
    assert (failed["error"], failed["said"]) == (
        "exit status 2",
        f"error: run {said.report['run']['id']} is not over while its own hook runs; resume it afterwards",
    )


def test_a_signal_during_the_run_still_starts_the_last_hooks(bench):
    """A run that SIGTERM ended tells its hooks so."""
    bench.configure(hooks={"failure": writing(bench, "failure")}, accounts={"unpod-main": {"concurrency": 1}})
    plan, _ = bench.sales(6)
    assert bench.struck(signal.SIGTERM, 2, "run", plan, "--yes").code == 143
    assert variables(bench, "failure")["TEARDOWN_EXIT_CODE"] == "143"


def test_a_signal_cuts_the_telling_short(bench):
    """A hook at work is killed, the next one is not started, and the run exits with what it came to."""
    os.mkfifo(bench.folder / "held")
    held = os.open(bench.folder / "held", os.O_RDONLY | os.O_NONBLOCK)
    command = ["sh", "-c", "exec 3>held; echo started >&3; sleep 3600"]
    bench.configure(hooks={"failure": command, "finish": writing(bench, "finish"), "timeout": "1h"})
    plan, (number,) = bench.sales(1)
    bench.faults.script(number, ["lying_200"])
    process = bench.start("run", plan, "--yes", "--json")
    try:
        assert select.select([held], [], [], PATIENCE)[0] == [held]
        assert os.read(held, 100) == b"started\n"
        process.send_signal(signal.SIGTERM)
        said = finish(process)
        assert select.select([held], [], [], PATIENCE)[0] == [held]
        assert os.read(held, 100) == b""
    finally:
        os.close(held)
    assert (said.code, said.report["run"]["status"]) == (4, "failed")
    assert "teardown resume" in said.err
    assert [line["error"] for line in events(bench, said, "notify.failed")] == ["cut short by a signal"]
    assert not (bench.folder / "finish").exists()
