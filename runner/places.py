"""Where the numbers of a rollback were attached, and a reader that judges by it what it sees."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from runner.errors import UnexpectedAnswer
from runner.model import Attached, Elsewhere
from runner.providers import NumberSeen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from runner.model import Seen
    from runner.providers import Before, Reader, Reads, Reattaching, Sight, Surroundings, Wanted


class Places:
    """What is known of each number at each target; kept as JSON, since a run may have a hundred thousand of them."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str | None, str]] = {}

    def add(self, target: str | None, number: str, text: str) -> None:
        """Note what is known of a number, as JSON."""
        self._texts.setdefault(number, {})[target] = text

    def targets(self, number: str) -> Collection[str | None]:
        """Return the targets at which a number was."""
        return self._texts.get(number, {}).keys()

    def before(self, target: str | None, number: str) -> Before:
        """Return what is known of a number."""
        before: Before = orjson.loads(self._texts[number][target])
        return before


class PlacedReader:
    """Looks for numbers where they were: one that hangs on something else is seen elsewhere.

    Where an account has one list for all targets, the looks ask for none of them: a number may be where it was on
    something that has another id. What a look does not show of that, the account's lists may.
    """

    def __init__(
        self, reader: Reader, reads: Reads, reattaching: Reattaching, places: Places, *, everywhere: bool
    ) -> None:
        self._reader = reader
        self._reads = reads
        self._reattaching = reattaching
        self._places = places
        self._everywhere = everywhere

    async def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """As `Reader.survey`; a number of which nothing tells whether it is there gets no sight."""
        named, unclear = {target: numbers or () for target, numbers in wanted.items()}, _Unclear()
        async for sight in self._reader.survey(self._asked(named), census=census):
            if isinstance(sight, NumberSeen):
                for each in self._judged(sight, named, unclear):
                    yield each
            else:
                yield sight
        for each in await self._cleared(unclear):
            yield each

    async def trace(self, missing: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """As `Reader.trace`, and as above."""
        unclear = _Unclear()
        async for sight in self._reader.trace(self._asked(missing)):
            for each in self._judged(sight, missing, unclear):
                yield each
        for each in await self._cleared(unclear):
            yield each

    async def look(self, target: str | None, number: str) -> Seen:
        """As `Reader.look`; raises UnexpectedAnswer as well when nothing tells whether it is there."""
        seen = await self._reader.look(None if self._everywhere else target, number)
        try:
            return self._judge(target, number, seen)
        except UnexpectedAnswer:
            return self._judge(target, number, seen, await self._reattaching.surroundings(self._reads))

    def _asked(self, wanted: Mapping[str | None, Collection[str]]) -> Mapping[str | None, Collection[str]]:
        if not self._everywhere:
            return wanted
        return {None: [number for numbers in wanted.values() for number in numbers]} if wanted else {}

    def _judged(
        self, sight: NumberSeen, wanted: Mapping[str | None, Collection[str]], unclear: _Unclear
    ) -> Iterator[NumberSeen]:
        """Yield what a sight means for each target that the number is wanted at; what it leaves open is ``unclear``."""
        targets = self._places.targets(sight.number)
        for target in [each for each in targets if each in wanted and (self._everywhere or each == sight.target)]:
            try:
                seen = self._judge(target, sight.number, sight.seen)
            except UnexpectedAnswer:
                unclear.append((target, sight))
            else:
                yield NumberSeen(target, sight.number, seen, sight.traced)

    async def _cleared(self, unclear: _Unclear) -> list[NumberSeen]:
        """Return what the account's lists, read once, tell of sights that were unclear."""
        around = await self._reattaching.surroundings(self._reads) if unclear else None
        cleared = []
        for target, sight in unclear:
            with suppress(UnexpectedAnswer):
                seen = self._judge(target, sight.number, sight.seen, around)
                cleared.append(NumberSeen(target, sight.number, seen, sight.traced))
        return cleared

    def _judge(self, target: str | None, number: str, seen: Seen, around: Surroundings | None = None) -> Seen:
        if not isinstance(seen, Attached):
            return seen
        known = {**(around.of(number, seen.before) if around else {}), **seen.details, **seen.before}
        where = self._reattaching.elsewhere(self._places.before(target, number), known)
        return Elsewhere(where) if where else seen


_Unclear = list[tuple[str | None, NumberSeen]]
