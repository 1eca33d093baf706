"""The recipes of docs/schedulers: valid where they are used, and their commands run against the sandbox."""

import configparser
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bench import ONE, PATIENCE, TWO, Said, bridge, environment, root
from jsonschema import Draft202012Validator

from runner.cli.codes import EXIT_CODES
from runner.config import Account
from runner.sandbox import ORG_HANDLE, TOKEN

pytestmark = pytest.mark.usefixtures("uncovered")

DOCS = root() / "docs" / "schedulers"
SYSTEMD = DOCS / "systemd"
MANIFEST = DOCS / "kubernetes" / "teardown.yaml"
BIN = Path(sys.executable).parent
TIMEOUT = Account("any", "unpod", "https://unpod.dev").timeout


def text(*parts):
    """Give a recipe's text."""
    return DOCS.joinpath(*parts).read_text(encoding="utf-8")


def objects():
    """Give the objects of the Kubernetes manifest by kind and name."""
    found = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def shell(command, **environ):
    """Run a command line as a scheduler's shell would, with the program on its path."""
    path = os.pathsep.join(map(str, [BIN, DOCS / "cron", os.environ["PATH"]]))
    env = environment(PATH=path, **{name: str(value) for name, value in environ.items()})
    pipes = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    done = subprocess.run(command, env=env, timeout=PATIENCE, check=False, **pipes)
    return Said(done.returncode, done.stdout, done.stderr)


def totals(state):
    """Give how many numbers of the only run in a state folder were detached, and its reason."""
    (folder,) = (state / "runs").iterdir()
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report["totals"]["detached"], report["run"]["reason"]


@pytest.fixture
def nightly(bench):
    """The plan that the recipes run, below the bench's folder, with a number to detach."""
    bench.world.unpod.add_bridge("sales", [ONE])
    (bench.folder / "plans").mkdir()
    return bench.plan(bridge("sales", [ONE])).rename(bench.folder / "plans" / "nightly.yaml")


# --- cron


def cron(folder):
    """Give the variables and the command of the crontab, with the folders of the machine below ``folder``."""
    if not shutil.which("flock"):
        pytest.skip("flock is not installed")
    lines = [line for line in text("cron", "teardown").splitlines() if not line.startswith("#")]
    environ = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    (job,) = (line for line in lines if line not in {f"{name}={value}" for name, value in environ.items()})
    *times, user, command = job.split(None, 6)
    assert (times, user) == (["15", "1", "*", "*", "*"], "teardown")
    (folder / "var").mkdir(exist_ok=True)
    here = lambda words: words.replace("/etc/teardown", str(folder)).replace("/var/lib/teardown", f"{folder}/var")  # noqa: E731
    mine = {name: here(value) for name, value in environ.items() if name.startswith("TEARDOWN_")}
    return mine, [environ["SHELL"], "-c", here(command)]


def test_cron_mails_nothing_about_a_run_that_went_well(nightly, bench):
    """The job does its work, leaves a report, and prints not a word."""
    environ, command = cron(bench.folder)
    said = shell(command, **environ)
    assert (said.code, said.out, said.err) == (0, "", "")
    assert totals(bench.folder / "var" / "state")[0] == 1
    assert "<html" in (bench.folder / "var" / "nightly.html").read_text(encoding="utf-8")


def test_cron_mails_what_somebody_has_to_look_at(nightly, bench):
    """The mail holds the summary, the command that failed and its exit code."""
    bench.configure(accounts={"unpod-main": {"token": "wrong"}})
    environ, command = cron(bench.folder)
    said = shell(command, **environ)
    assert said.code != 0
    assert f"nightly.html: exit code {said.code}\n" in said.out
    assert "401" in said.out


def test_cron_starts_nothing_beside_a_job_that_is_still_at_work(nightly, bench):
    """The lock answers with the exit code that a busy account has, and without a mail."""
    environ, command = cron(bench.folder)
    with (bench.folder / "var" / "nightly.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = shell(command, **environ)
    assert (said.code, said.out, said.err) == (75, "", "")
    assert bench.detaches() == []


# --- systemd


def unit(name):
    """Give a unit's sections."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(text("systemd", name))
    return parser


@pytest.fixture
def units(tmp_path):
    """The units in a folder of their own, with the program where it is on this machine."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed")
    for path in SYSTEMD.iterdir():
        here = path.read_text(encoding="utf-8").replace("/usr/local/bin/teardown", str(BIN / "teardown"))
        (tmp_path / path.name.replace("@.", "@nightly.")).write_text(here, encoding="utf-8")
    return lambda *words: subprocess.run([analyze, *words], cwd=tmp_path, capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong_with_the_units(units):
    """Every setting is known, and what they start is there."""
    names = [path.name.replace("@.", "@nightly.") for path in sorted(SYSTEMD.iterdir())]
    said = units("verify", "--man=no", *(f"./{name}" for name in names))
    assert (said.returncode, said.stderr) == (0, "")


def test_the_service_may_do_little(units):
    """Its exposure, as systemd counts it, is at most 2 of 10."""
    said = units("security", "--offline=yes", "--threshold=20", "--no-pager", "./teardown@nightly.service")
    assert said.returncode == 0, said.stdout[-500:]


def test_the_service_runs_the_plan_of_its_name(nightly, bench):
    """Command and environment of the unit, with what systemd puts in for %i and %d."""
    service = text("systemd", "teardown@.service")
    (bench.folder / "credentials").mkdir()
    (bench.folder / "credentials" / "unpod").write_text(TOKEN, encoding="utf-8")
    bench.configure(accounts={"unpod-main": {"token": "wrong"}})
    for there, here in (
        ("/usr/local/bin/teardown", BIN / "teardown"),
        ("/etc/teardown", bench.folder),
        ("/var/lib/teardown", bench.folder / "var"),
        ("%d", bench.folder / "credentials"),
        ("%i", "nightly"),
    ):
        service = service.replace(there, str(here))
    environ = dict(re.findall(r"^Environment=(\w+)=(.*)$", service, re.MULTILINE))
    (command,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
    said = shell(shlex.split(command), **environ)
    assert said.code == 0, said.err
    assert totals(bench.folder / "var") == (1, "timer nightly")


def test_a_stop_leaves_the_service_time_to_finish():
    """More than twice what one request may take; a busy account is no failure, everything else is told."""
    service = unit("teardown@.service")
    assert int(service["Service"]["TimeoutStopSec"]) > 2 * TIMEOUT
    assert service["Service"]["SuccessExitStatus"] == "75"
    assert service["Unit"]["OnFailure"] == "teardown-failed@%i.service"


# --- Kubernetes


def wrong(thing, version):
    """Give what a version of Kubernetes finds wrong with an object, by its path."""
    excerpt = json.loads((root() / "tests" / "kubernetes" / f"v{version}.json").read_text(encoding="utf-8"))
    schema = excerpt["kinds"][thing["kind"]] | {"$defs": excerpt["$defs"]}
    return [each.json_path for each in Draft202012Validator(schema).iter_errors(thing)]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_takes_every_object(version):
    """Each fits the schema of its kind, without a key that is not there."""
    assert [problem for each in objects().values() for problem in wrong(each, version)] == []


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_would_refuse_what_it_does_not_know(version):
    """The control: an unknown key deep in the pod, a wrong type and an API that is gone are each found."""
    job = objects()["CronJob", "teardown-nightly"]
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    container["arg"], job["spec"]["suspend"], job["apiVersion"] = ["run"], "no", "batch/v1beta1"
    path = "$.spec.jobTemplate.spec.template.spec.containers[0]"
    assert sorted(wrong(job, version)) == ["$.apiVersion", path, "$.spec.suspend"]


def pod(name):
    """Give a CronJob's pod."""
    return objects()["CronJob", name]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def mounted(folder, bench, name):
    """Lay out the volumes of a CronJob below ``folder``, and give command and environment with the paths there."""
    (container,) = pod(name)["containers"]
    volumes = {volume["name"]: volume for volume in pod(name)["volumes"]}
    where = {mount["mountPath"]: folder / mount["name"] for mount in container["volumeMounts"]}
    for mount in container["volumeMounts"]:
        (folder / mount["name"]).mkdir(exist_ok=True)
        for file, content in contents(volumes[mount["name"]]).items():
            (folder / mount["name"] / file).write_text(moved(content, where), encoding="utf-8")
    environ = {each["name"]: moved(each["value"], where) for each in container["env"]}
    environ |= {"TEARDOWN_ACCOUNTS__UNPOD_MAIN__BASE_URL": bench.server.url}
    environ |= {"TEARDOWN_ACCOUNTS__UNPOD_MAIN__ORG_HANDLE": ORG_HANDLE}
    return [str(BIN / "teardown"), *(moved(word, where) for word in container["args"])], environ


def contents(volume):
    """Give the files that a volume shows, with the sandbox's token in the secret."""
    if "configMap" in volume:
        return objects()["ConfigMap", volume["configMap"]["name"]]["data"]
    if "secret" in volume:
        return dict.fromkeys(objects()["Secret", volume["secret"]["secretName"]]["stringData"], TOKEN)
    return {}


def moved(words, where):
    """Put the folders of this machine in place of the container's."""
    return re.sub("|".join(map(re.escape, where)), lambda there: str(where[there[0]]), words)


def test_the_nightly_job_and_the_resume_work_with_what_the_manifest_brings(bench, tmp_path):
    """The first cannot finish, and the second, in another pod on the same volume, takes up what is left."""
    bench.world.unpod.add_bridge("returned-numbers", [ONE, TWO])
    bench.faults.script(ONE, ["business_206", "business_206"])
    folder = tmp_path / "pod"
    folder.mkdir()
    quick = {"TEARDOWN_RETRY__BASE_DELAY": "10ms", "TEARDOWN_RETRY__MAX_DELAY": "10ms"}
    command, environ = mounted(folder, bench, "teardown-nightly")
    assert shell(command, **environ, **quick).code == 4
    command, environ = mounted(folder, bench, "teardown-resume")
    said = shell(command, **environ, **quick)
    assert said.code == 0, said.err
    assert totals(folder / "state" / "teardown")[0] == 2


@pytest.mark.parametrize("name", ["teardown-nightly", "teardown-resume"])
def test_kubernetes_repeats_nothing_by_itself(name):
    """One job at a time, no second pod for one that failed, and time to finish before a kill."""
    spec = objects()["CronJob", name]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert pod(name)["restartPolicy"] == "Never"
    assert pod(name)["terminationGracePeriodSeconds"] > 2 * TIMEOUT
    assert pod(name)["securityContext"]["runAsNonRoot"]
    assert pod(name)["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    assert spec.get("suspend", False) == (name == "teardown-resume")


def test_both_jobs_run_in_the_same_pod():
    """What the two CronJobs start differs in the command alone."""
    nightly, resume = pod("teardown-nightly"), pod("teardown-resume")
    for each in (nightly, resume):
        del each["containers"][0]["args"]
    assert nightly == resume


# --- CI


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("github/teardown.yml", ["--builtin-schema", "vendor.github-workflows"]),
        ("gitlab/gitlab-ci.yml", ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
)
def test_the_ci_recipes_fit_their_schemas(recipe, options):
    """As their makers publish them."""
    pytest.importorskip("check_jsonschema", reason="the schemas of CI systems are not installed")
    said = shell([sys.executable, "-m", "check_jsonschema", *options, str(DOCS / recipe)])
    assert said.code == 0, said.out


def github():
    """Give the steps of the workflow by name."""
    workflow = yaml.safe_load(text("github", "teardown.yml"))
    return {step["name"]: step for step in workflow["jobs"]["teardown"]["steps"] if "name" in step}


def run_github(bench):
    """Run the step that runs the plan as GitHub's runner does."""
    step, summary = github()["Run"], bench.folder / "step_summary"
    environ = step["env"] | {"PLAN": "plans/nightly.yaml", "REASON": "run 1", "GITHUB_STEP_SUMMARY": summary}
    said = shell(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], **environ)
    return said, summary


def test_github_shows_the_summary(nightly, bench):
    """The job page has the report, the state folder has what the artifact keeps."""
    said, summary = run_github(bench)
    assert said.code == 0, said.err
    assert "**Succeeded: 1 number planned" in summary.read_text(encoding="utf-8")
    assert totals(bench.folder / "state") == (1, "run 1")


def test_github_fails_the_job_when_something_failed(nightly, bench):
    """The exit code of the run is the step's, and the summary is there as well."""
    bench.configure(accounts={"unpod-main": {"token": "wrong"}})
    said, summary = run_github(bench)
    assert said.code == 3
    assert "401" in summary.read_text(encoding="utf-8")


def test_github_takes_a_busy_account_for_no_failure(bench):
    """A run that holds the account makes the step end well, with a notice."""
    plan, listed = bench.sales(1)
    (bench.folder / "plans").mkdir()
    (bench.folder / "plans" / "nightly.yaml").write_text(plan.read_text(encoding="utf-8"), encoding="utf-8")
    bench.slow_down(listed, PATIENCE)
    with bench.at_work(1, plan):
        said, summary = run_github(bench)
    assert (said.code, "::notice::" in said.out) == (0, True)
    assert not summary.exists()


def test_gitlab_runs_the_plan_and_keeps_what_it_promises(nightly, bench):
    """Every artifact that the job names is there."""
    job = yaml.safe_load(text("gitlab", "gitlab-ci.yml"))["teardown"]
    environ = {name: value.replace("$CI_PROJECT_DIR", str(bench.folder)) for name, value in job["variables"].items()}
    (script,) = job["script"]
    said = shell(["sh", "-c", script], **environ, CI_PIPELINE_URL="pipeline 1")
    assert said.code == 0, said.err
    assert totals(bench.folder / "state") == (1, "pipeline 1")
    kept = [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]
    assert [path for path in kept if not (bench.folder / path).exists()] == []
    assert job["allow_failure"] == {"exit_codes": [75]}


# --- Docker


def test_hadolint_finds_nothing_wrong_with_the_dockerfile():
    """Not even something to remark on."""
    hadolint = shutil.which("hadolint", path=os.pathsep.join([str(BIN), os.environ["PATH"]]))
    if not hadolint:
        pytest.skip("hadolint is not installed")
    said = shell([hadolint, "--failure-threshold", "style", str(root() / "Dockerfile")])
    assert (said.code, said.out) == (0, "")


def test_what_the_dockerfile_copies_is_there_and_nothing_else_is_sent():
    """The build's context is exactly what is copied."""
    dockerfile = (root() / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]
    ]
    ignored = (root() / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert sorted(copied) == sorted(line.removeprefix("!") for line in ignored if line.startswith("!"))
    assert [name for name in copied if not (root() / name).exists()] == []


def test_the_image_runs_as_nobody_special():
    """Its last user is a number that is not root's, as is the pod's; the state is a volume below which it may write."""
    dockerfile = (root() / "Dockerfile").read_text(encoding="utf-8")
    user = pod("teardown-nightly")["securityContext"]["runAsUser"]
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE)[-1] == f"{user}:{user}"
    assert "\nVOLUME /state\n" in dockerfile
    assert "TEARDOWN_STATE_DIR=/state/teardown" in dockerfile


# --- the page


def test_the_page_says_of_every_exit_code_whom_to_tell():
    """Each code that the program has is there once."""
    page = (root() / "docs" / "schedulers.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([0-9, ]+) \|", page, re.MULTILINE)
    assert ", ".join(cells).split(", ") == list(EXIT_CODES)


def test_the_page_names_every_recipe():
    """Whoever reads it finds all of them."""
    page = (root() / "docs" / "schedulers.md").read_text(encoding="utf-8")
    recipes = [path.relative_to(DOCS.parent) for path in DOCS.rglob("*") if path.is_file()]
    assert [path for path in recipes if f"]({path})" not in page] == []
