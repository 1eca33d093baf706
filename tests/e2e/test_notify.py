"""People are told of runs: when, what, what goes with it, and that nothing which goes wrong with it changes a run."""

import signal
import sys

import pytest
from bench import PATIENCE, bridge, call, finish, private
from receivers import hook, mailbox

from runner import letter
from runner.sandbox import TOKEN

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def told(bench, monkeypatch):
    """Give a web hook; ``$HOOK`` is its address."""
    with hook() as receiver:
        monkeypatch.setenv("HOOK", receiver.url("s3cret-path"))
        yield receiver


def ask(bench, **more):
    """Configure one recipient, the web hook."""
    bench.configure(notify=[{"urls": ["${HOOK}"], **more}])


def events(bench, said, name):
    """The log's lines of one event."""
    return [line for line in bench.log(said) if line["event"] == name]


def test_the_end_of_a_run(bench, told):
    """Who asks for nothing else is told of every end: verdict, counts, where the report is, and no more."""
    ask(bench)
    plan, _ = bench.sales(4)
    said = bench.run(plan)
    page = bench.run_folder(said) / "report.html"
    assert told.titles == ["teardown test-plan: succeeded"]
    lines = told.messages[0].splitlines()
    assert lines[0] == "Succeeded: 4 numbers planned, and none is left to do."
    assert lines[1] == "detached: 4"
    assert lines[2].startswith(f"Report: {page} on ")
    assert len(lines) == 3
    assert [line["told"] for line in events(bench, said, "notify.sent")] == ["finish"]


def test_a_failure_names_numbers_and_the_way_on(bench, told):
    """What failed, why, and the command to go on with are in the text."""
    ask(bench, events=["failure"])
    plan, listed = bench.sales(3)
    bench.faults.script(listed[1], ["lying_200"])
    said = bench.run(plan)
    assert said.code == 4
    assert told.titles == ["teardown test-plan: failed"]
    assert f"{listed[1]} (unpod-main/sales) failed: " in told.messages[0]
    assert f"Next: teardown resume {said.report['run']['id']} --retry-failed" in told.messages[0]


def test_success_is_no_failure(bench, told):
    """Who asks for failures alone hears nothing of a run that went well."""
    ask(bench, events=["failure", "guard"])
    plan, _ = bench.sales(2)
    assert bench.run(plan).code == 0
    assert told.posts == []


def test_blocked_is_a_failure(bench, told):
    """A run that the pre-check or a guard keeps from starting is told of, with the reason."""
    ask(bench, events=["failure"])
    plan, _ = bench.sales(3, max_numbers=2)
    assert bench.run(plan).code == 3
    assert told.titles == ["teardown test-plan: blocked"]
    assert "guards.max_numbers is 2" in told.messages[0]


def test_a_tripped_guard_is_told_at_once(bench, told):
    """The message arrives while the run still looks at what it did; the end is told as well."""
    bench.configure(notify=[{"urls": ["${HOOK}"]}], accounts={"unpod-main": {"concurrency": 1}})
    plan, listed = bench.sales(4, stop_after_failures=1)
    bench.faults.script(listed[0], ["business_206"] * 5)
    told_before_the_last_look = []

    def last_look(entry):
        if entry.kind == "read" and len(bench.world.detach_requests(listed[0])) == 2:
            reads.append(entry)
            if len(reads) == 2:  # the first one settled the second attempt and tripped the guard
                told_before_the_last_look.append(told.arrived.wait(PATIENCE))

    reads = []
    bench.world.on_request.append(last_look)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (5, {"failed": 1, "pending": 3})
    assert told_before_the_last_look == [True]
    assert told.titles == ["teardown test-plan: a guard tripped", "teardown test-plan: aborted"]
    assert "guards.stop_after_failures is 1. Requests in flight finish" in told.messages[0]
    assert "Report:" not in told.messages[0]
    assert "Next: teardown resume" in told.messages[1]


def test_a_signal_is_told_as_failure(bench, told):
    """An interrupted run tells after it has drained, and exits as ever."""
    ask(bench, events=["failure"])
    plan, _ = bench.sales(8)
    bench.configure(notify=[{"urls": ["${HOOK}"], "events": ["failure"]}], accounts={"unpod-main": {"concurrency": 1}})
    said = bench.struck(signal.SIGTERM, 2, "run", plan, "--yes")
    assert said.code == 143
    assert told.titles == ["teardown test-plan: interrupted"]


def test_dry_runs_and_rehearsals(bench, told):
    """A dry run tells who asked for that, a rehearsal nobody: it does not even need the addresses."""
    ask(bench, dry_run=True)
    plan, _ = bench.sales(2)
    assert bench.check(plan).code == 0
    assert told.titles == ["teardown test-plan: dry_run"]
    ask(bench)
    assert bench.check(plan).code == 0
    assert call("run", plan, "--yes", "--sandbox", "--quiet").code == 0
    assert len(told.posts) == 1
    bench.configure(notify=[{"urls": ["${NOT_SET}"]}])
    assert call("run", plan, "--yes", "--sandbox", "--quiet").code == 0


@pytest.mark.parametrize("form", ["html", "json", "md"])
def test_the_report_goes_with_it(bench, told, form):
    """What is attached is the report of the run in the form that was asked for, whole."""
    ask(bench, attach=form)
    plan, _ = bench.sales(2)
    said = bench.run(plan)
    ((name, content),) = told.attached()
    assert name == f"report.{form}"
    assert content == (bench.run_folder(said) / name).read_bytes()
    assert content == call("report", said.report["run"]["id"], "--format", form).out.encode()
    assert private(bench.run_folder(said) / name) == 0o600


def test_a_template(bench, told):
    """It is the text; what a plan's metadata does not have is empty; control characters do not get through."""
    ask(
        bench,
        template="{{ metadata.ticket }}{{ metadata.none }} {{ totals.detached }}/{{ totals.planned }}\n{{ reason }}",
    )
    _, listed = bench.sales(2)
    plan = bench.plan(bridge("sales", listed), metadata={"ticket": "CHG-7"})
    assert bench.run(plan, "--reason", "it\x1b[31m").code == 0
    assert told.messages == ["CHG-7 2/2\nit\\x1b[31m"]


def test_every_name_that_a_template_may_use(bench, told):
    """What the example has that templates are tried on is there in a message about a guard, and in one about an end."""
    names = "\n".join(f"{name}={{{{ {name} }}}}" for name in letter.EXAMPLE)
    ask(bench, template=names)
    plan, (number,) = bench.sales(1, stop_after_failures=1)
    bench.faults.script(number, ["lying_200"])
    assert bench.run(plan).code == 4
    end, guard = sorted(told.messages)  # told at the same moment, they may arrive in any order
    assert "event=guard" in guard
    assert "event=failure" in end
    for message in (guard, end):
        assert [line.partition("=")[0] for line in message.splitlines()] == list(letter.EXAMPLE)


def test_a_template_that_fails_later(bench, told):
    """Whoever is to be told gets the usual text, with a line about the template."""
    ask(bench, template="{{ 1 // (totals.failed) }}")
    plan, _ = bench.sales(1)
    assert bench.run(plan).code == 0
    assert told.messages[0].startswith("Succeeded: 1 number planned")
    assert "the template failed (ZeroDivisionError" in told.messages[0]


def test_numbers_are_masked_where_logs_mask_them(bench, told):
    """``log.numbers: masked`` holds for texts that leave the machine, too."""
    bench.configure(notify=[{"urls": ["${HOOK}"]}], log={"numbers": "masked"})
    plan, (number,) = bench.sales(1)
    bench.faults.script(number, ["lying_200"])
    assert bench.run(plan).code == 4
    assert number not in told.messages[0]
    assert "+1415\u2022" in told.messages[0]


def test_mail(bench, monkeypatch):
    """The same by SMTP: subject, text and attachment."""
    with mailbox() as (port, mails):
        to = f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure&from=teardown@example.com&to=ops@example.com"
        monkeypatch.setenv("MAIL", to)
        bench.configure(notify=[{"urls": ["${MAIL}"], "attach": "md"}])
        plan, _ = bench.sales(2)
        said = bench.run(plan)
    assert said.code == 0
    (mail,) = mails
    assert mail["Subject"] == "teardown test-plan: succeeded"
    assert "none is left to do" in mail.get_body(("plain", "html")).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["report.md"]


@pytest.mark.parametrize("trouble", ["refuses", "is not there", "hangs"])
def test_who_cannot_be_reached_changes_nothing(bench, told, trouble):
    """Exit code and report are what they were; the log has a warning with a reason; nothing is sent twice."""
    plan, _ = bench.sales(2)
    if trouble == "hangs":
        told.hold.clear()
    told.status = 500
    url = "json://127.0.0.1:1/s3cret-path" if trouble == "is not there" else "${HOOK}"
    bench.configure(notify=[{"urls": [url], "timeout": "200ms" if trouble == "hangs" else "9s"}])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 2})
    (failed,) = events(bench, said, "notify.failed")
    assert failed["level"] == "warning"
    assert {"refuses": "error=500", "is not there": "onnection", "hangs": "not delivered within 0.2 s"}[
        trouble
    ] in failed["error"]
    assert failed["recipient"].startswith("config.yaml:")
    assert trouble == "is not there" or told.arrived.wait(PATIENCE)
    assert len(told.posts) <= 1


def test_an_exit_does_not_wait_for_who_hangs(bench, told, monkeypatch):
    """The process leaves although an address still has not answered."""
    told.hold.clear()
    monkeypatch.setenv("HOOK", told.url("?rto=3600"))
    ask(bench, timeout="3s")
    plan, _ = bench.sales(1)
    said = finish(bench.start("run", plan, "--yes"))
    assert said.code == 0, said.err
    assert not told.hold.is_set()
    assert len(told.posts) == 1


def test_addresses_are_secrets(bench, told):
    """No part of one that may be secret is in the log, on the terminal or in a report, not even when it fails."""
    told.status = 500
    bench.configure(notify=[{"urls": ["${HOOK}"]}], hooks={"finish": ["sh", "-c", "echo $HOOK"]})
    plan, _ = bench.sales(2)
    said = bench.run(plan, "-vv")
    shown = (
        said.err
        + said.out
        + "".join(path.read_text("utf-8", "replace") for path in bench.state.rglob("*") if path.is_file())
    )
    assert {"notify.failed", "hook.output"} <= {line["event"] for line in bench.log(said)}
    assert "s3cret-path" not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("${NOT_SET}", "the environment variable NOT_SET is not set or blank; put the secret there"),
        ("file:nowhere", "nowhere does not exist; check the path"),
        ("slack://s3cret", "the address slack://… is none that Apprise takes; write it as Apprise's docs do"),
        ("s3cret", "the address is none that Apprise takes; write it as Apprise's docs do"),
    ],
)
def test_addresses_that_cannot_be_used(bench, url, sentence):
    """They are refused with their place before anything is sent or recorded, and without what they hold."""
    bench.configure(notify=[{"urls": [url]}])
    plan, _ = bench.sales(2)
    said = call("run", plan, "--yes")
    assert said.code == 2
    place = next(
        f"config.yaml:{number}:{line.index(chr(34)) + 1}"
        for number, line in enumerate((bench.folder / "config.yaml").read_text().splitlines(), 1)
        if url in line
    )
    assert f"error: {place}: {sentence}" in said.err.replace(f"{bench.folder}/", "")
    assert "s3cret" not in said.err
    assert list(bench.record) == []
    assert not (bench.state / "ledger.db").exists()


def test_without_apprise(bench, told, monkeypatch):
    """A config that wants somebody told is refused with the command that installs it; a rehearsal goes on."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    ask(bench)
    plan, _ = bench.sales(2)
    said = call("run", plan, "--yes")
    assert said.code == 2
    assert "`notify` needs Apprise; install it by `pip install 'teardown[notify]'`" in said.err
    assert list(bench.record) == []
    assert call("run", plan, "--yes", "--sandbox", "--quiet").code == 0
