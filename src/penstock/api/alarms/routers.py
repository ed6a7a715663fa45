"""The routers of alarms."""

from __future__ import annotations

from fastapi import APIRouter

from penstock.api.alarms import alarms, notifications, rules

ROUTERS: tuple[APIRouter, ...] = (alarms.router, rules.router, notifications.router)
