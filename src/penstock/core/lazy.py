"""Public names of a package that are imported when somebody asks for them (PEP 562).

Reading a room's settings must not load what the room works with: the front door and the
supervisor read all settings and stay light.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module `__getattr__` for names that live in the modules given in `homes`.

    Raises:
        AttributeError: When asked for another name, as Python does.
    """

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        return getattr(importlib.import_module(home), name)

    return get
