"""From where to where the numbers of a lane are moved, and what a look at one of them means for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.history import SHIFT, destination_name
from runner.model import Attached, Elsewhere, Still
from runner.moves import Way
from runner.providers import REATTACH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import Item, Seen
    from runner.providers import Before, Moving, Reattaching, Spec


class Routes(Struct, frozen=True):
    """``said`` is what the plan has under ``reassign``, by the target's number; ``secrets`` are values by reference."""

    spec: Spec
    said: Mapping[int, Mapping[str, Any]]
    secrets: Mapping[str, str]

    @property
    def how(self) -> Reattaching:
        """How the provider attaches numbers; a run that moves begins only where there is a way."""
        if self.spec.reattaching is None:
            raise LookupError(self.spec.name)
        return self.spec.reattaching

    @property
    def moving(self) -> Moving:
        """How the provider says where numbers can be moved."""
        if self.how.moving is None:
            raise LookupError(self.spec.name)
        return self.how.moving

    def there(self, item: int, before: Before) -> Before:
        """Return where an item is moved to, as a number is known that hangs there."""
        return self.moving.destination(self.said[item >> SHIFT], before)

    def name(self, item: int) -> str:
        """Return what an item's destination is called."""
        return destination_name(self.said[item >> SHIFT])

    def asked(self, there: Before) -> str | None:
        """Return what a look for numbers at ``there`` asks for."""
        return None if self.spec.everywhere else self.moving.target(there)

    def returns(self, item: int) -> bool:
        """Whether an item that is refused there is put back."""
        return bool(self.said[item >> SHIFT]["if_refused"] == "put_back")

    def way(self, item: Item, before: Before) -> Way:
        """Return the way of an item, in words."""
        back = self.returns(item.id) and self.spec.reversal(before).how != "none"
        return Way(item.target or "the gateways that it had", self.name(item.id), back)

    def judge(self, item: int, target: str | None, seen: Attached, before: Before | None) -> Seen:
        """Return what it means that a look saw an item attached: it is there, still here, or somewhere else.

        ``before`` is what it hung on when it was first seen; without that it hangs on what a look for ``target`` sees.
        """
        shown = {**seen.details, **seen.before}
        where = self.how.elsewhere(self.there(item, before or shown), shown)
        if where is None:
            return seen
        if before is None or self.how.elsewhere(before, shown) is None:
            return Still(target or "the gateways that it has")
        return Elsewhere(where)

    def at(self, place: Before, seen: Seen) -> Seen:
        """Return what a look for ``place`` saw: attached elsewhere when it is not as ``place`` says."""
        if not isinstance(seen, Attached):
            return seen
        where = self.how.elsewhere(place, {**seen.details, **seen.before})
        return Elsewhere(where) if where else seen

    def revealed(self, place: Before) -> Before:
        """Return a place with the secrets that it refers to, which are kept nowhere."""
        known = {key: self._value(value) for key, value in place.items()}
        said = {key: self._value(value) for key, value in (place.get(REATTACH) or {}).items()}
        return known | ({REATTACH: said} if said else {})

    def _value(self, value: Any) -> Any:
        return self.secrets.get(value, value) if isinstance(value, str) else value
