"""Messages by Apprise: addresses that are ready before a run begins, and a delivery that nobody waits for too long."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any

from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from runner.config import Recipient, SecretRef

_SCHEME = re.compile(r"[a-z0-9]{1,20}(?=://)")
_BETWEEN = re.compile(r"[:/?#@&=,]+")
_SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address of a recipient, checked and ready to be written to."""

    recipient: Recipient
    place: str
    url: str = field(repr=False)
    service: Any = field(repr=False)
    """An ``apprise.Apprise`` that holds this address alone."""

    def send(self, title: str, text: str, enclosed: Path | None) -> str | None:
        """Send a message and wait for it; None when it was delivered, else why not, without secrets."""
        try:
            attach = str(enclosed) if enclosed else None
            result = self.service.notify(title=title, body=text, body_format="text", attach=attach)
        except Exception as error:  # noqa: BLE001 - whatever a service does wrong, the run is not to suffer for it
            return f"{type(error).__name__} in Apprise"
        return None if result else self._clean("; ".join(entry.message for entry in result.logs()))

    def _clean(self, message: str) -> str:
        """Take out what is a part of the address: which parts are secret depends on the service."""
        for part in sorted({self.url, *_BETWEEN.split(self.url)}, key=len, reverse=True):
            if len(part) >= _SHORTEST_SECRET:
                message = message.replace(part, "***")
        return message or "Apprise does not say why"


def open_mailboxes(recipients: Iterable[Recipient], environ: Mapping[str, str]) -> list[Mailbox]:
    """Return every address of ``recipients``; InputError with all that cannot be used, or when there is no Apprise."""
    boxes, problems = [], []
    for recipient in recipients:
        for ref in recipient.urls:
            try:
                url = ref.resolve(environ)
                boxes.append(Mailbox(recipient, ref.place, url, _service(url, ref)))
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    return boxes


def _service(url: str, ref: SecretRef) -> Any:
    try:
        import apprise  # noqa: PLC0415 - an extra, and a third of a second: only who tells somebody pays
    except ImportError:
        message = "`notify` needs Apprise; install it by `pip install 'teardown[notify]'`, or take `notify` out"
        raise InputError([Problem(ref.place, message)]) from None
    asset = apprise.AppriseAsset(service_timeout=0)  # its own limit would leave threads behind that an exit waits for
    if (plugin := apprise.Apprise.instantiate(url, asset=asset)) is None:
        scheme = _SCHEME.match(url)
        kind = f"address {scheme[0]}://…" if scheme else "address"
        raise InputError([Problem(ref.place, f"the {kind} is none that Apprise takes; write it as Apprise's docs do")])
    service = apprise.Apprise(asset=asset)
    service.add(plugin)
    return service


async def in_time(work: Callable[[], str | None], seconds: float) -> str | None:
    """Return what blocking ``work`` returns, or that it took too long; then it is left behind, even when we exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()

    def settle(result: str | None) -> None:
        if not done.done():
            done.set_result(result)

    def go() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it in a thread
            result = f"{type(error).__name__}: {error}"
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result)

    Thread(target=go, daemon=True, name="notify").start()
    try:
        async with asyncio.timeout(seconds):
            return await done
    except TimeoutError:
        return f"not delivered within {seconds:g} s"
