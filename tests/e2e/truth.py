"""What a report says, held against what is true in the sandbox and what was sent."""

import jsonschema

from runner.report import json_schema


def agree(report, world, sent):
    """Hold a report against the truth in ``world`` and the requests that its process ``sent``."""
    jsonschema.validate(report, json_schema())
    totals, rows = report["totals"], report["numbers"]
    counted = {name: sum(row["outcome"] == name for row in rows) for name in totals if name != "planned"}
    assert totals == {"planned": len(rows), **counted}
    for row in rows:
        if report["run"]["moves"]:
            _agree_moved(row, world, [entry for entry in sent if row["number"] in (entry.numbers or [entry.number])])
        elif report["run"]["rollback_of"]:
            _agree_back(
                row, world, [entry for entry in sent if entry.kind == "attach" and row["number"] in entry.numbers]
            )
        else:
            _agree(row, world, [entry for entry in sent if entry.kind == "detach" and entry.number == row["number"]])


def _agree_back(row, world, sent):
    attached = is_back(row, world)
    match row["outcome"]:
        case "reattached":
            assert attached, row
            assert row["confirmed_by"] in {"response", "verification"}, row
            assert row["attempts"], row
        case "already_attached":
            assert attached, row
            assert sum(entry.status != 429 for entry in sent) <= 1, row  # it was refused, whatever it did
        case "failed":
            assert not attached, row
            assert row["error"], row
        case "unknown":
            assert row["error"], row
            assert row["attempts"], row
        case "would_reattach":
            assert not world.attached(row["provider"], None, row["number"]), row
            assert not sent, row
        case "skipped":
            assert not sent, row
            assert row["reason"] in {"attached_elsewhere", "excluded"}, row
        case "pending":
            assert not any(entry.worked for entry in sent), row
        case other:
            raise AssertionError(other)


def _agree_moved(row, world, sent):
    here, there = is_here(row, world), is_there(row, world)
    sent = [entry for entry in sent if entry.method == "POST"]
    if row["gap_ms"] is not None:
        assert row["outcome"] in {"moved", "failed"}, row
    match row["outcome"]:
        case "moved":
            assert (here, there) == (False, True), row
            assert row["confirmed_by"] in {"response", "verification"}, row
        case "already_moved":
            assert there, row
            assert not any(entry.worked for entry in sent), row
        case "stranded":
            assert not world.attached(row["provider"], None, row["number"]), row
            assert row["error"], row
        case "failed":
            assert world.attached(row["provider"], None, row["number"]), row
            assert here or row["error"]["code"] == "attached_elsewhere", row
        case "unknown":
            assert row["error"], row
            assert row["attempts"], row
        case "would_move":
            assert (here, there) == (True, False), row
            assert not sent, row
        case "skipped":
            assert not sent, row
            assert row["reason"] in {"protected", "attached_elsewhere", "not_attached", "excluded", "in_call"}, row
        case "pending":
            assert not any(entry.worked for entry in sent), row
        case other:
            raise AssertionError(other)


def is_here(row, world):
    """Whether a number that is moved is where it was: on its bridge, or on a pair that is not the new one."""
    if row["provider"] == "unpod":
        return world.attached("unpod", row["target"], row["number"])
    return world.attached("videosdk", None, row["number"]) and not is_there(row, world)


def is_there(row, world):
    """Whether a number is where it is moved to: a bridge of that name, or a pair whose gateways are called so."""
    if row["provider"] == "unpod":
        return world.attached("unpod", row["moved_to"], row["number"])
    phone = world.videosdk.phones.get(row["number"])
    gateway = world.videosdk.gateways["outbound"].get(phone.outbound) if phone else None
    return bool(gateway and phone.inbound and gateway["name"] == row["moved_to"])


def is_back(row, world):
    """Whether a number is where it was: on its bridge, or on a pair that leads to the same address."""
    number, before = row["number"], row["before"]
    if row["provider"] == "unpod":
        return world.attached("unpod", before["bridge"], number)
    phone = world.videosdk.phones[number]
    gateway = world.videosdk.gateways["outbound"].get(phone.outbound)
    return bool(phone.inbound and gateway and gateway["address"] == before["address"])


def _agree(row, world, sent):
    attached = world.attached(row["provider"], row["target"], row["number"])
    here = [entry for entry in sent if entry.target == row["target"] or row["provider"] == "videosdk"]
    match row["outcome"]:
        case "detached":
            assert not attached, row
            assert row["confirmed_by"] in {"response", "verification"}, row
            assert row["attempts"], row
        case "already_detached":
            assert not attached, row
            assert not here or row["attempts"] == 1, row
        case "failed":
            assert attached, row
            assert row["error"], row
        case "unknown":
            assert row["error"], row
            assert row["attempts"], row
        case "would_detach":
            assert attached, row
            assert not here, row
        case "skipped":
            assert not here, row
            assert row["reason"] in {"protected", "attached_elsewhere", "excluded", "in_call"}, row
        case "pending":
            assert not any(entry.worked for entry in here), row
        case other:
            raise AssertionError(other)
