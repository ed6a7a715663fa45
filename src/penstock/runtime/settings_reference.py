"""Writes docs/reference/settings.md from the settings themselves.

`python -m penstock.runtime.settings_reference > docs/reference/settings.md`
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from penstock.runtime.config import environment_name, sections, setting_name

HEAD = """# Settings

Penstock runs without any. Those below come, each stronger than the one before it, from a TOML file
(`penstock up --config penstock.toml`), from the environment, and from the command line. In the
environment a value is written as in TOML, text without quotes, and `none` for no value.

This page is made from the code (`make reference`).
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(line for name in sections() for line in _section(name))])


def _section(name: str) -> Iterator[str]:
    kind = sections()[name]
    hints = get_type_hints(kind, include_extras=True)
    yield f"## [{name}]" if name else "## At the top of the file"
    yield ""
    yield inspect.cleandoc(kind.__doc__ or "")
    yield ""
    for field in msgspec.structs.fields(kind):
        if setting_name(name, field.name) in sections():
            continue
        yield from _setting(name, field, hints[field.name])


def _setting(section: str, field: msgspec.structs.FieldInfo, hint: Any) -> Iterator[str]:
    meta = get_args(hint)[1] if get_origin(hint) is Annotated else msgspec.Meta()
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    yield f"### {setting_name(section, field.name)}"
    yield ""
    yield meta.description or ""
    yield ""
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory
    if callable(default):
        default = default()
    facts = [f"Type `{_type(plain)}`", f"default `{_value(default)}`"]
    facts += [
        f"{word} {limit}"
        for word, limit in (("at least", meta.ge), ("above", meta.gt), ("at most", meta.le))
        if limit is not None
    ]
    yield f"{', '.join(facts)}; environment `{environment_name(section, field.name)}`."
    yield ""


def _type(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _value(value: object) -> str:
    if value is None:
        return "none"
    return msgspec.json.encode(value).decode() if not isinstance(value, msgspec.UnsetType) else ""


if __name__ == "__main__":
    sys.stdout.write(reference())
