"""``rollback``: what a run detached is put back, and only that, under the same machinery."""

from bench import bridge, gateway, numbers

AUTH = ("--reattach", "videosdk-main:auth_username=trunk", "--reattach", "videosdk-main:auth_password=${SIP_PASSWORD}")


def test_puts_back_what_a_run_detached_and_only_that(bench):
    """Numbers that were gone already stay gone; the report names the run, and each number has one request."""
    plan, listed = bench.sales(4)
    bench.world.detach("unpod", "sales", listed[3])
    first = bench.run(plan)
    said = bench.rollback(first)
    assert (said.code, said.totals()) == (0, {"reattached": 3})
    assert said.report["run"]["rollback_of"] == first.report["run"]["id"]
    assert [entry.number for entry in bench.attaches()] == listed[:3]
    assert not bench.world.attached("unpod", "sales", listed[3])
