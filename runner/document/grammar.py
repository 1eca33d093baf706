"""How a mapping of a plan or a config is declared: a class, and in it a line for each key."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform, overload

if TYPE_CHECKING:
    from runner.document.kinds import Kind

T = TypeVar("T")
D = TypeVar("D")
REQUIRED: Any = object()
"""In place of a default: the key has to be there."""


class Key:
    """One key: its kind, what it is about, and its default, which an editor is told as ``shown``."""

    def __init__(self, kind: Kind[Any], about: str, default: Any, shown: object) -> None:
        self.kind, self.about, self.default, self.shown = kind, about, default, shown
        self.required = default is REQUIRED


@overload
def key(kind: Kind[T], about: str) -> T: ...
@overload
def key(kind: Kind[T], about: str, *, default: D, shown: object = None) -> T | D: ...
def key(kind: Kind[Any], about: str, *, default: Any = REQUIRED, shown: object = None) -> Any:
    """Declare a key; ``shown`` is the default as it would stand in the file, where that is not the value itself."""
    return Key(kind, about, default, default if shown is None else shown)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(key,))
class Strict:
    """A mapping that may have the keys that its class declares by ``key``, and no others.

    An instance is one that was read: it has each key's value, or its default.
    """

    keys: ClassVar[dict[str, Key]] = {}
    """In the order of the class, those of the class that it is made from first."""
    also: ClassVar[dict[str, Any]] = {}
    """What an editor can tell of the mapping that no key tells by itself, as JSON Schema."""

    def __init_subclass__(cls) -> None:
        cls.keys = cls.keys | {name: each for name, each in vars(cls).items() if isinstance(each, Key)}

    def __init__(self, **values: Any) -> None:
        defaults = {name: copy(each.default) for name, each in self.keys.items()}
        self.__dict__.update(defaults | values)
