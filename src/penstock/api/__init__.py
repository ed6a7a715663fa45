"""The HTTP API: REST under `/api/v1`, live events, health, metrics, and the web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.api.settings import ApiSettings
from penstock.core.lazy import lazily

if TYPE_CHECKING:
    from penstock.api.app import create_app

__all__ = ["ApiSettings", "create_app"]

__getattr__ = lazily(__name__, {"create_app": "penstock.api.app"})
