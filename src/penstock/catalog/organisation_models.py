"""The tables of the organisation: who there is, what belongs to whom, and who changed what.

Of secrets only digests are kept. `created_by` is the name of whoever did it, so that it still says
something when they are gone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from penstock.catalog.tables import NAME_LENGTH, Base, Id

_NUMBERED = {"sqlite_autoincrement": True}


class Made:
    """Who made a row, and when."""

    created_us: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str] = mapped_column(default="")


class Numbered:
    """An id that is never used again."""

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)


class OrganisationState(Base):
    """One row: how often the organisation changed."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)


class Account(Numbered, Made, Base):
    """A user."""

    __tablename__ = "account"
    __table_args__ = (_NUMBERED,)

    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    display_name: Mapped[str] = mapped_column(default="")
    administrator: Mapped[bool]
    disabled: Mapped[bool] = mapped_column(default=False)
    password_hash: Mapped[str] = mapped_column(default="")


class CompanyRow(Numbered, Made, Base):
    """A company. `folded` is its name in lower case: no two differ in case only."""

    __tablename__ = "company"
    __table_args__ = (_NUMBERED,)

    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    folded: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    description: Mapped[str] = mapped_column(default="")


class SystemRow(Numbered, Made, Base):
    """A system of a company."""

    __tablename__ = "system"
    __table_args__ = (_NUMBERED,)

    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"), index=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    folded: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    description: Mapped[str] = mapped_column(default="")
    topics: Mapped[list[str]] = mapped_column(JSON)


class CompanyAdministrator(Made, Base):
    """A user who is administrator of a company."""

    __tablename__ = "company_administrator"

    company_id: Mapped[int] = mapped_column(
        ForeignKey("company.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class SystemAgent(Made, Base):
    """A user who is agent of a system."""

    __tablename__ = "system_agent"

    system_id: Mapped[int] = mapped_column(
        ForeignKey("system.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class ClientRow(Numbered, Made, Base):
    """A program or device that acts for a system."""

    __tablename__ = "client"
    __table_args__ = (UniqueConstraint("system_id", "name"), _NUMBERED)

    system_id: Mapped[int] = mapped_column(ForeignKey("system.id"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    description: Mapped[str] = mapped_column(default="")
    may_read: Mapped[bool]
    may_write: Mapped[bool]
    topics: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    disabled: Mapped[bool] = mapped_column(default=False)


class ApiKey(Numbered, Made, Base):
    """A secret that stands for a user or a client."""

    __tablename__ = "api_key"
    __table_args__ = (
        CheckConstraint("(account_id IS NULL) <> (client_id IS NULL)", name="one_holder"),
        _NUMBERED,
    )

    digest: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(default="")
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    client_id: Mapped[int | None] = mapped_column(
        ForeignKey("client.id", ondelete="CASCADE"), index=True
    )
    expires_us: Mapped[int | None] = mapped_column(BigInteger)
    revoked_us: Mapped[int | None] = mapped_column(BigInteger)
    used_us: Mapped[int | None] = mapped_column(BigInteger)


class RegistrationRow(Numbered, Base):
    """Somebody who wants to become a user and waits for an administrator."""

    __tablename__ = "registration_request"
    __table_args__ = (_NUMBERED,)

    name: Mapped[str] = mapped_column(String(254), unique=True)
    display_name: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)


class SignIn(Numbered, Base):
    """A session: a user who signed in."""

    __tablename__ = "sign_in"
    __table_args__ = (_NUMBERED,)

    digest: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    created_us: Mapped[int] = mapped_column(BigInteger)
    used_us: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)
    address: Mapped[str] = mapped_column(default="")
    agent: Mapped[str] = mapped_column(default="")


class DataGrant(Numbered, Made, Base):
    """What one system lets another read, or was asked to."""

    __tablename__ = "data_grant"
    __table_args__ = (_NUMBERED,)

    owner_id: Mapped[int] = mapped_column(ForeignKey("system.id", ondelete="CASCADE"), index=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("system.id", ondelete="CASCADE"), index=True)
    thing_id: Mapped[int | None] = mapped_column(
        ForeignKey("thing.id", ondelete="CASCADE"), index=True
    )
    datastream_id: Mapped[int | None] = mapped_column(
        ForeignKey("datastream.id", ondelete="CASCADE"), index=True
    )
    state: Mapped[str] = mapped_column(String(16), index=True)
    note: Mapped[str] = mapped_column(default="")
    decided_us: Mapped[int | None] = mapped_column(BigInteger)
    decided_by: Mapped[str] = mapped_column(default="")
    expires_us: Mapped[int | None] = mapped_column(BigInteger)


class AuditRow(Numbered, Base):
    """Who changed what. Company and system say whose it is, and are kept when those are gone."""

    __tablename__ = "audit"
    __table_args__ = (_NUMBERED,)

    at_us: Mapped[int] = mapped_column(BigInteger)
    by_kind: Mapped[str] = mapped_column(String(16))
    by_id: Mapped[int] = mapped_column(BigInteger)
    by_name: Mapped[str]
    address: Mapped[str] = mapped_column(default="")
    action: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(default="")
    company_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    system_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Repeatable(Base):
    """What was answered to a request with an `Idempotency-Key`; status 0 while it is running."""

    __tablename__ = "idempotency"
    __table_args__ = (Index(None, "created_us"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[str]
    created_us: Mapped[int] = mapped_column(BigInteger)
