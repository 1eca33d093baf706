"""validate, status, report, providers, schema and sandbox."""

import json
import signal
import urllib.request

import jsonschema
import pytest
import yaml
from bench import ONE, PATIENCE, TWO, bridge, call, finish, gateway, root


def test_validate_says_what_it_read(bench):
    """A sound plan: how many numbers and targets, exit 0, on stdout."""
    plan = bench.plan(bridge("sales", [ONE, TWO]), gateway([ONE]), bridge("old", "all"))
    said = call("validate", plan)
    assert (said.code, said.out) == (
        0,
        f"{plan} is valid: 3 numbers and all that is attached where it says so, 3 targets\n",
    )


GROUP = "{account: unpod-main, bridge: b, numbers: [+14155550101]}"
WINDOW = "window: {not_before: 2026-11-22T05:00:00Z, not_after: 2026-11-22T01:00:00Z}"


def listing(numbers):
    return f"teardown: [{{account: unpod-main, bridge: b, numbers: {numbers}}}]"


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("teardown: []", "3:11", "at least one group"),
        (f"name: y\nteardown: [{GROUP}]", "3:1", "'name' stands twice"),
        (f"colour: red\nteardown: [{GROUP}]", "3:1", "colour"),
        (f"guards: {{max_number: 3}}\nteardown: [{GROUP}]", "3:10", "max_numbers"),
        (f"guards: {{max_numbers: many}}\nteardown: [{GROUP}]", "3:23", "max_numbers"),
        (f"{WINDOW}\nteardown: [{GROUP}]", "3:55", "ends before it begins"),
        (f"teardown: [{GROUP}, {GROUP}]", "3:", "+14155550101"),
        (
            f"teardown: [{GROUP}, {{account: unpod-main, bridge: b, numbers: all}}]",
            "3:",
            "covers what another group lists",
        ),
        ("teardown: [{account: nobody, bridge: b, numbers: [+14155550101]}]", "3:22", "nobody"),
        ("teardown: [{account: unpod-main, bridge: b, numbers_from: no.csv}]", "3:59", "no.csv"),
        (listing("[]"), "3:54", "empty list"),
        (listing("[+14155550101, +14155550101]"), "3:69", "+14155550101"),
        (listing("[+0123456789]"), "3:55", "E.164"),
        (listing("[+123456]"), "3:55", "E.164"),
        (listing("[415-555-0101]"), "3:55", "+14155550101"),
        (listing("['(415) 555-0100']"), "3:55", "+14155550100"),
        (listing("!!python/object:os.system [+14155550101]"), "3:54", "tag"),
    ],
)
def test_validate_gives_the_place(bench, text, place, sentence):
    """Every mistake is refused with file, line and column, exit 2, offline."""
    path = bench.folder / "bad.yaml"
    path.write_text(f"version: 1\nname: x\n{text}\n")
    said = call("validate", path)
    assert (said.code, said.out) == (2, "")
    assert f"error: {path}:{place}" in said.err
    assert sentence in said.err
    assert list(bench.record) == []


@pytest.mark.parametrize(
    ("name", "text"), [("n.csv", "number\n"), ("n.csv", "phone\n+14155550101\n"), ("n.txt", "# none\n")]
)
def test_a_file_without_numbers(bench, name, text):
    """It is an error in every command, never taken for every number or for none."""
    (bench.folder / name).write_text(text)
    bench.world.unpod.add_bridge("sales", [ONE])
    plan = bench.plan({"account": "unpod-main", "bridge": "sales", "numbers_from": name})
    for command in (["validate", plan], ["check", plan], ["run", plan, "--yes"]):
        said = call(*command)
        assert (said.code, said.out) == (2, "")
        assert name in said.err
    assert list(bench.record) == []


def test_validate_counts_as_one_speaks(bench):
    """One of a thing is not several."""
    said = call("validate", bench.plan(bridge("sales", [ONE])))
    assert said.out.endswith(" is valid: 1 number, 1 target\n")


def test_validate_without_any_config(bench):
    """It works offline and without a config: an account that nobody knows is a warning only."""
    (bench.folder / "config.yaml").unlink()
    said = call("validate", bench.plan(bridge("sales", [ONE])))
    assert said.code == 0
    assert "warning: " in said.err
    assert "unpod-main" in said.err


def test_validate_warns_of_a_number_that_is_no_number(bench):
    """E.164 in form but unknown to its numbering plan: a warning with its place, exit 0."""
    said = call("validate", bench.plan(bridge("sales", ["+10000000000"])))
    assert said.code == 0
    assert "warning: " in said.err
    assert "+10000000000" in said.err


def test_validate_tells_config_and_plan_problems_together(bench):
    """A config that is wrong and a plan that is wrong are told at once."""
    (bench.folder / "config.yaml").write_text("accounts: 5\n")
    path = bench.folder / "bad.yaml"
    path.write_text("version: 1\n")
    said = call("validate", path)
    assert said.code == 2
    assert "config.yaml:1:" in said.err
    assert "bad.yaml:" in said.err


def test_status_of_nothing(bench):
    """An empty state folder is no error, and nothing is made there by looking."""
    assert call("status").out == f"no runs in {bench.state}\n"
    assert json.loads(call("status", "--json").out) == {"runs": []}
    assert not bench.state.exists()


def test_status_lists_runs(bench):
    """Newest first, with their ids, states and counts; --json has each run's facts, totals and lanes."""
    plan, _ = bench.sales(2)
    ids = [bench.check(plan).report["run"]["id"], bench.run(plan).report["run"]["id"]]
    lines = call("status").out.splitlines()
    assert [line.split()[0] for line in lines] == ids[::-1]
    assert [line.split()[1] for line in lines] == ["succeeded", "dry_run"]
    assert "detached 2" in lines[0]
    runs = json.loads(call("status", "--json").out)["runs"]
    assert [run["id"] for run in runs] == ids[::-1]
    assert runs[0]["totals"]["detached"] == 2
    assert runs[0]["lanes"][0]["account"] == "unpod-main"


def test_status_of_one_run(bench):
    """One run in detail, in words or as JSON."""
    plan, _ = bench.sales(2)
    run = bench.run(plan).report["run"]["id"]
    bench.check(plan)
    assert "Succeeded: 2 numbers planned" in call("status", run).out
    assert [each["id"] for each in json.loads(call("status", run, "--json").out)["runs"]] == [run]


def test_status_of_a_live_run(bench):
    """While a run goes on, its counts can be read from another terminal."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["hang_before"])
    with bench.at_work(2, plan):
        run = json.loads(call("status", "--json").out)["runs"][0]
    assert (run["exit_code"], run["finished_at"], run["totals"]["planned"]) == (None, None, 2)


def test_providers():
    """Every provider with its target and abilities, in words and as JSON."""
    lines = call("providers").out.splitlines()
    assert [line.split()[0] for line in lines] == ["unpod", "videosdk"]
    assert all("detach" in line for line in lines)
    rows = json.loads(call("providers", "--json").out)["providers"]
    assert [(row["name"], row["target"]) for row in rows] == [("unpod", "bridge"), ("videosdk", "gateway")]


@pytest.mark.parametrize("what", ["plan", "config", "report"])
def test_schema(what):
    """Each is a sound JSON Schema."""
    said = call("schema", what)
    assert said.code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(said.out))


class Loader(yaml.SafeLoader):
    """Loads YAML as a plan means it: a number with a plus stays a string."""

    yaml_implicit_resolvers = yaml.SafeLoader.yaml_implicit_resolvers | {"+": []}


def test_schemas_accept_what_is_shipped():
    """The example config and every example plan fit the published schemas."""
    config, plan = (json.loads(call("schema", what).out) for what in ("config", "plan"))
    jsonschema.validate(yaml.safe_load((root() / "config.example.yaml").read_text()), config)
    for path in sorted((root() / "plans").glob("*.yaml")):
        jsonschema.validate(yaml.load(path.read_text(), Loader), plan)  # noqa: S506 - a safe loader


def test_sandbox_serves_until_a_signal(bench):
    """It prints where it listens and a config to try it with, serves both providers, and ends with exit 0."""
    plan = bench.plan(bridge("sales", [ONE, TWO]))
    process = bench.start("sandbox", "--port", "0", "--plan", plan, "--rate-limit", "100")
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "_sandbox/state" in line:
            break
    url = lines[0].split()[4]
    with urllib.request.urlopen(f"{url}/_sandbox/state", timeout=PATIENCE) as answer:  # noqa: S310 - our own server
        assert json.load(answer)["unpod"]["bridges"] == {"sales": [ONE, TWO]}
    config = bench.folder / "printed.yaml"
    config.write_text("".join(lines[1:-1]))
    said = call("run", plan, "--yes", "--json", "--config", config)
    assert (said.code, said.totals()) == (0, {"detached": 2})
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 0


def test_sandbox_refuses_what_it_cannot_do(bench):
    """A port that is taken, an open host and an unknown fault: exit 2 with a sentence."""
    port = bench.server.url.rpartition(":")[2]
    for options, sentence in [
        (["--port", port], "choose another port"),
        (["--host", "0.0.0.0", "--port", "0"], "this machine only"),  # noqa: S104 - it is refused
        (["--faults", "sun=1", "--port", "0"], "there is no such fault"),
        (["--port", "70000"], "--port"),
        (["--call", "123"], "'123' is not an E.164 number"),
        (["--call", f"{ONE}=soon"], "'soon' is not a duration"),
    ]:
        said = call("sandbox", *options)
        assert said.code == 2
        assert sentence in said.err
