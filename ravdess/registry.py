"""Registers: a plug-in is one new file in a package's folder, and it registers itself by a name."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from ravdess.errors import NameTaken, UnknownName


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Objects by name, found by importing every module of the given packages on first use.

    Importing is cheap by the project's rule that heavy libraries are imported where they are used.
    """

    def __init__(self, kind: str, packages: tuple[str, ...]) -> None:
        self.kind = kind
        self._packages = packages
        self._items: dict[str, T] = {}
        self._loaded = False

    def register(self, item: T) -> T:
        """Add `item` under its name. Raises NameTaken when the name is in use."""
        if self._items.setdefault(item.name, item) is not item:
            raise NameTaken(f"the {self.kind} {item.name!r} is registered already; names are promises, choose another")
        return item

    def __getitem__(self, name: str) -> T:
        """Look `name` up. Raises UnknownName, which lists what there is."""
        self._load()
        if name not in self._items:
            raise UnknownName(self.kind, name, self._items)
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for package in self._packages:
            path = importlib.import_module(package).__path__
            for module in pkgutil.iter_modules(path, f"{package}."):
                importlib.import_module(module.name)


def identity(**parts: object) -> str:
    """16 hex digits that change when one of the parts, all of them JSON values, does."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
