"""Records to fold: a source that holds them in lists, and short ways to make them."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field

from msgspec.structs import replace

from runner import report
from runner.model import TROUBLED, Fault, State
from runner.records import ItemRecord, LaneRecord, Pulse, Removal, RunRecord, Timeline
from runner.tally import Tally

STARTED = 1_795_305_600.0
RUN = RunRecord(
    id="20261122T000000Z-1a2b3c",
    plan_name="sales-eu",
    plan_path="plans/sales-eu.yaml",
    plan_sha256="ab" * 32,
    metadata={"ticket": "CHG-20417"},
    description="Retire the EU sales bridges",
    dry_run=False,
    sandbox=False,
    rollback_of=None,
    reason=None,
    started_at=STARTED,
    finished_at=STARTED + 2.5,
    ending="finished",
    signal=None,
    notes=(),
    version="0.1.0",
    host="box",
    user="ops",
)
BOOM = Fault("unexpected_answer", "the provider answered 500", 500)


def item(state=State.DETACHED, **fields):
    """Make one record; detached ones are confirmed by the response, troubled ones have a fault."""
    known = {"account": "unpod-main", "provider": "unpod", "target": "sales-bridge", "number": "+14155550101"}
    if state in {State.DETACHED, State.REATTACHED, State.MOVED}:
        known |= {"confirmed_by": "response", "attempts": 1, "finished_at": STARTED + 1, "before": {"id": 7}}
    if state in TROUBLED:
        known |= {"fault": BOOM, "attempts": 3, "finished_at": STARTED + 2}
    if state is State.SKIPPED:
        known |= {"reason": "protected"}
    return ItemRecord(**{"id": 1, "state": state, "seen_attached": True, **known, **fields})


@dataclass
class Records:
    """A source of one run; ``planned`` is what its lanes were given, by default as many as there are items."""

    items_: list[ItemRecord]
    run_: RunRecord = RUN
    planned: int | None = None
    readings: int = 0
    pulses: list[Pulse] = field(default_factory=list)
    text: str | None = None
    removals_: list[Removal] = field(default_factory=list)

    def run(self, run_id):
        assert run_id == self.run_.id
        return self.run_

    def items(self, run_id):
        self.readings += 1
        return iter(self.items_)

    def lanes(self, run_id):
        accounts = Counter(entry.account for entry in self.items_)
        tally = Tally(requests=5, retries=1, throttled=2, active_s=0.5)
        for latency in (20.0, 21.0, 55.0):
            tally.timed(latency)
        lanes = [LaneRecord(account, "unpod", 10.0, count, tally) for account, count in accounts.items()]
        return lanes if self.planned is None else [LaneRecord("unpod-main", "unpod", 10.0, self.planned)]

    def counts(self, run_id):
        return dict(Counter((entry.state, entry.seen_attached) for entry in self.items_))

    def removals(self, run_id):
        return self.removals_

    def timeline(self, run_id, slots):
        return Timeline(STARTED, 1, 3, self.pulses)

    def rules(self, run_id):
        return {"guards": {"max_numbers": 500, "protect": ["+4420*"], "batches": []}, "window": {}, "limit": None}

    def plan_text(self, run_id, most):
        return self.text and self.text[:most]


def fold(*items, planned=None, **run):
    """Fold a run with these items and these fields of its record changed."""
    return report.fold(Records(list(items), replace(RUN, **run), planned), RUN.id)


def served(*items, pulses=(), plan=None, **run):
    """Fold the same, with these pulses on its timeline, and with its plan's text still there."""
    return report.fold(Records(list(items), replace(RUN, **run), pulses=list(pulses), text=plan), RUN.id)


def text(made, form):
    """Write a report to a string."""
    stream = io.StringIO()
    report.write(made, form, stream)
    return stream.getvalue()


HOSTILE = "<script>alert(1)</script>|`[red]x[/red]\x1b[31m\u202e]]>&\"'"


def hostile():
    """A run in which everything that others can write is hostile."""
    fault = Fault("refused", HOSTILE, 400)
    return fold(
        item(State.FAILED, target=HOSTILE, account=HOSTILE, fault=fault),
        item(State.PLANNED, target=HOSTILE, account=HOSTILE),
        plan_name=HOSTILE,
        description=HOSTILE,
        metadata={HOSTILE: HOSTILE},
        notes=(HOSTILE,),
        reason=HOSTILE,
        ending="stopped",
    )


def mixed(count=1):
    """A stopped run with ``count`` items in each of the states that need words."""
    states = [State.DETACHED, State.SKIPPED, State.FAILED, State.UNKNOWN, State.PLANNED]
    items = [item(state, number=f"+1415555{index:04d}") for state in states for index in range(count)]
    return fold(*items, ending="stopped", notes=("guards.stop_after_failures tripped",))
