"""The tables of stream apps. Times are integer microseconds UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from penstock.catalog.organisation_models import SystemRow
from penstock.catalog.tables import Base, Id

_NUMBERED = {"sqlite_autoincrement": True}


class AppRow(Base):
    """A stream app, as it is now; `spec` is a `core.apps.AppSpec`."""

    __tablename__ = "app"
    __table_args__ = (UniqueConstraint("system_id", "name"), _NUMBERED)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    system_id: Mapped[int] = mapped_column(ForeignKey(SystemRow.id), default=1)
    name: Mapped[str] = mapped_column(String(63))
    spec: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(16), default="stopped")
    changed_by: Mapped[str]
    changed_us: Mapped[int] = mapped_column(BigInteger)


class AppVersionRow(Base):
    """What somebody said of an app, from then on."""

    __tablename__ = "app_version"

    app_id: Mapped[int] = mapped_column(ForeignKey(AppRow.id, ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    spec: Mapped[dict[str, Any]]
    changed_by: Mapped[str]
    changed_us: Mapped[int] = mapped_column(BigInteger)


class AppLogRow(Base):
    """A line of an app's log."""

    __tablename__ = "app_log"
    __table_args__ = (Index(None, "app_id", "id"), _NUMBERED)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    app_id: Mapped[int] = mapped_column(ForeignKey(AppRow.id, ondelete="CASCADE"))
    time_us: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[str] = mapped_column(String(16))
    message: Mapped[str]
