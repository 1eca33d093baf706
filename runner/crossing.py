"""A reader for numbers that are moved: attached means there, and not here any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.errors import UnexpectedAnswer
from runner.model import Attached, Elsewhere, Gone, Still
from runner.providers import NumberSeen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from runner.model import Seen
    from runner.providers import Before, Reader, Sight, Wanted
    from runner.routes import Routes


class Passengers:
    """Which item each number at each target is, and what was seen of it; as JSON, since there may be many."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], tuple[int, str]] = {}

    def add(self, target: str | None, number: str, item: int, text: str) -> None:
        """Note an item and what is known of it, as JSON."""
        self._known[target, number] = item, text

    def of(self, target: str | None, number: str) -> tuple[int, Before] | None:
        """Return the item and what is known of it; None where nothing is."""
        item, text = self._known.get((target, number), (0, ""))
        return (item, orjson.loads(text)) if text else None


class CrossedReader:
    """Looks where a number was first, then where it should be."""

    def __init__(self, reader: Reader, routes: Routes, passengers: Passengers) -> None:
        self._reader = reader
        self._routes = routes
        self._passengers = passengers

    async def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """As `Reader.survey`; counts nothing, and a target that does not exist has none of the numbers."""
        left = {target: dict.fromkeys(numbers or ()) for target, numbers in wanted.items()}
        if not self._routes.spec.everywhere:
            async for sight in self._reader.survey(wanted, census=census):
                if isinstance(sight, NumberSeen) and isinstance(sight.seen, Attached):
                    left[sight.target].pop(sight.number, None)
                    yield NumberSeen(sight.target, sight.number, Still(str(sight.target)))
        lost: dict[str | None, list[str]] = {}
        async for sight in self._there(left):
            if isinstance(sight.seen, Gone) and not self._routes.spec.everywhere:
                lost.setdefault(sight.target, []).append(sight.number)
            else:
                yield sight
        if lost:
            async for sight in self._reader.trace(lost):
                yield self._found(sight)

    async def trace(self, missing: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """As `Reader.trace`."""
        for target, numbers in missing.items():
            for number in numbers:
                yield NumberSeen(target, number, await self.look(target, number))

    async def look(self, target: str | None, number: str) -> Seen:
        """As `Reader.look`; raises UnexpectedAnswer as well when what is seen does not tell where it is."""
        known = self._passengers.of(target, number)
        if known is None:
            return Gone()
        if not self._routes.spec.everywhere and isinstance(await self._reader.look(target, number), Attached):
            return Still(str(target))
        seen = self._judge(
            known, target, await self._reader.look(self._routes.asked(self._routes.there(*known)), number)
        )
        if isinstance(seen, Gone) and not self._routes.spec.everywhere:
            async for sight in self._reader.trace({target: [number]}):
                seen = self._found(sight).seen
        return seen

    async def _there(self, left: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """Look at the destinations of the numbers that are not here."""
        asked: dict[str | None, dict[str, list[str | None]]] = {}
        for target, numbers in left.items():
            for number in numbers:
                if known := self._passengers.of(target, number):
                    place = self._routes.asked(self._routes.there(*known))
                    asked.setdefault(place, {}).setdefault(number, []).append(target)
        async for sight in self._reader.survey(asked, census=False):
            if isinstance(sight, NumberSeen):
                for each in self._judged(sight, asked[sight.target].get(sight.number, [])):
                    yield each
            else:
                for number, targets in asked[sight.target].items():
                    for target in targets:
                        yield NumberSeen(target, number, Gone())

    def _judged(self, sight: NumberSeen, targets: Collection[str | None]) -> Iterator[NumberSeen]:
        for target in targets:
            known = self._passengers.of(target, sight.number)
            try:
                seen = self._judge(known, target, sight.seen) if known else sight.seen
            except UnexpectedAnswer as error:
                seen = Elsewhere(str(error))
            yield NumberSeen(target, sight.number, seen, sight.traced)

    def _found(self, sight: NumberSeen) -> NumberSeen:
        """Return what a search for a number means that was neither here nor there."""
        here = isinstance(sight.seen, Attached)
        return NumberSeen(sight.target, sight.number, Still(str(sight.target))) if here else sight

    def _judge(self, known: tuple[int, Before], target: str | None, seen: Seen) -> Seen:
        if not isinstance(seen, Attached):
            return Gone()
        item, before = known
        return self._routes.judge(item, target, seen, before)
