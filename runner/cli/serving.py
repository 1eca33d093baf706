"""``sandbox``: a local provider to try everything against."""

from __future__ import annotations

import click

from runner.cli.options import PhoneCall, global_options
from runner.errors import InputError


@click.command("sandbox")
@click.option("--plan", "path", type=click.Path(), metavar="PLAN", help="Attach the numbers of this plan (else a few).")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 for any free one.")
@click.option("--faults", metavar="LIST", help="Faults on request, like lost_after=5%,http_429=2%.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Which requests the faults strike.")
@click.option("--rate-limit", type=click.IntRange(1), metavar="N", help="Requests a second per provider, then 429.")
@click.option(
    "--call",
    "calls",
    type=PhoneCall(),
    multiple=True,
    help="NUMBER or NUMBER=90s: a VideoSDK number that is in a call, for so long from now on; may be repeated.",
)
@global_options
def sandbox_command(
    *,
    path: str | None,
    host: str,
    port: int,
    faults: str | None,
    seed: int,
    rate_limit: int | None,
    calls: tuple[tuple[str, float | None], ...],
) -> None:
    """Serve a local provider that answers as the documented ones do, until it is interrupted."""
    import asyncio

    from runner import plan as plans
    from runner import sandbox

    seeded = sandbox.World.from_plan(plans.load(path).groups) if path else sandbox.World.example()
    for number, seconds in calls:
        seeded.videosdk.begin_call(number, seconds)
    limits = {"unpod": rate_limit, "videosdk": rate_limit} if rate_limit else None
    parsed = sandbox.Faults.parse(faults, seed=seed) if faults else None
    try:
        asyncio.run(sandbox.run_forever(seeded, host, port, faults=parsed, rate_limits=limits, announce=click.echo))
    except OSError as error:
        raise InputError(
            f"--port: cannot listen on {host}:{port}: {error.strerror or error}; take another one"
        ) from error
