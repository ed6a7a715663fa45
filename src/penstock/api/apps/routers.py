"""The routers of apps and SQL, in the order in which they are tried."""

from __future__ import annotations

from fastapi import APIRouter

from penstock.api.apps import apps, computed, questions

#: `computed` has paths like `/apps/explain`, which are no ids; it comes first.
ROUTERS: tuple[APIRouter, ...] = (computed.router, apps.router, questions.router)
