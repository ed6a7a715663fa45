"""The HTTP API: REST under `/api/v1`, live events, health, metrics, and the web page.

`create_app` is imported when asked for, so that reading `api.settings` loads no web framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.settings import ApiSettings

if TYPE_CHECKING:
    from penstock.api.app import create_app

__all__ = ["ApiSettings", "create_app"]


def __getattr__(name: str) -> object:
    if name == "create_app":
        from penstock.api.app import create_app

        return create_app
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
