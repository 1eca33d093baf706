"""Where the numbers of a rollback were attached, and a reader that judges by it what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.errors import UnexpectedAnswer
from runner.model import Attached, Elsewhere
from runner.providers import NumberSeen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from runner.model import Seen
    from runner.providers import Before, Reader, Reattaching, Sight, Wanted


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
    something that has another id.
    """

    def __init__(self, reader: Reader, reattaching: Reattaching, places: Places, *, everywhere: bool) -> None:
        self._reader = reader
        self._reattaching = reattaching
        self._places = places
        self._everywhere = everywhere

    async def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """As `Reader.survey`."""
        named = {target: numbers or () for target, numbers in wanted.items()}
        async for sight in self._reader.survey(self._asked(named), census=census):
            if isinstance(sight, NumberSeen):
                for each in self._judged(sight, named):
                    yield each
            else:
                yield sight

    async def trace(self, missing: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """As `Reader.trace`."""
        async for sight in self._reader.trace(self._asked(missing)):
            for each in self._judged(sight, missing):
                yield each

    async def look(self, target: str | None, number: str) -> Seen:
        """As `Reader.look`; raises UnexpectedAnswer as well when what is seen does not tell whether it is there."""
        seen = await self._reader.look(None if self._everywhere else target, number)
        return self._judge(target, number, seen)

    def _asked(self, wanted: Mapping[str | None, Collection[str]]) -> Mapping[str | None, Collection[str]]:
        if not self._everywhere:
            return wanted
        return {None: [number for numbers in wanted.values() for number in numbers]} if wanted else {}

    def _judged(self, sight: NumberSeen, wanted: Mapping[str | None, Collection[str]]) -> Iterator[NumberSeen]:
        """Yield what a sight means for each target that the number is wanted at."""
        targets = self._places.targets(sight.number)
        for target in [each for each in targets if each in wanted and (self._everywhere or each == sight.target)]:
            try:
                seen = self._judge(target, sight.number, sight.seen)
            except UnexpectedAnswer as error:
                seen = Elsewhere(str(error))
            yield NumberSeen(target, sight.number, seen, sight.traced)

    def _judge(self, target: str | None, number: str, seen: Seen) -> Seen:
        if not isinstance(seen, Attached):
            return seen
        before = self._places.before(target, number)
        where = self._reattaching.elsewhere(before, {**seen.details, **seen.before})
        return Elsewhere(where) if where else seen
