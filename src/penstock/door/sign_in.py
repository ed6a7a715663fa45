"""Who comes in: by key, by name and password, by certificate, or as the platform itself.

Whatever is wrong, the answer is the same, so that nobody learns from it which names there are.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from penstock.core.access import ANYONE, PLATFORM, Principal
from penstock.core.clock import Clock
from penstock.core.errors import Backpressure
from penstock.core.organisation import KEY_PREFIX
from penstock.core.passwords import Passwords
from penstock.core.shares import Shares, network
from penstock.door.auth import COMPANION, INTERNAL
from penstock.door.permissions import COMPANION_CLIENT, Permissions
from penstock.door.reasons import ProtocolViolation, Reason

#: Passwords that may wait for their check: as many as connections may wait to be let in.
MAX_WAITING = 500


@dataclass(frozen=True, slots=True)
class Showing:
    """What a client shows to be let in.

    Attributes:
        certificate_name: Name in its certificate, which was checked; None without one.
        address: Where it is; "" when not known.
    """

    username: str | None = None
    password: bytes | None = None
    certificate_name: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Who was let in, and what proved it: see `Permissions.is_still`.

    Attributes:
        name: Name that a certificate gave; None when it is the one that was shown.
    """

    who: Principal
    proof: str = ""
    name: str | None = None


class SignIn:
    """Finds out who a client is.

    Wrong passwords use up a share, of the name at this address, of the address, and of the name
    from everywhere, which is large, so that nobody can easily lock others out.

    Args:
        permissions: Knows who there is.
        clock: For the shares.
        internal_secret: Password of the platform's own connections; empty means there are none.
    """

    def __init__(self, permissions: Permissions, clock: Clock, internal_secret: str = "") -> None:
        self._permissions = permissions
        self._internal_secret = internal_secret.encode()
        self._passwords = Passwords(max_waiting=MAX_WAITING)
        self._checks: dict[tuple[str, str], asyncio.Future[bool]] = {}
        self._here = Shares(clock, per_s=1 / 30, most=5)
        self._address = Shares(clock, per_s=1 / 3, most=50)
        self._name = Shares(clock, per_s=1 / 6, most=100)

    def close(self) -> None:
        """End the threads."""
        self._passwords.close()

    def at_once(self, shown: Showing) -> Known | None:
        """Return who it is; None when a password must be checked first, which takes a while.

        Raises:
            ProtocolViolation: It is nobody whom we know.
        """
        if shown.username == INTERNAL:
            if not self._is_internal(shown.password):
                raise _refused(shown)
            return Known(PLATFORM, "internal")
        if not self._permissions.has_accounts:
            return Known(ANYONE, name=shown.certificate_name)
        if shown.username == COMPANION and self._is_internal(shown.password):
            return Known(COMPANION_CLIENT, "internal")
        if shown.certificate_name is not None:
            certified = self._permissions.certified(shown.certificate_name)
            if certified is not None:
                return Known(certified, "certificate", shown.certificate_name)
        password = _text(shown.password)
        if password is None:
            raise _refused(shown)
        holder = self._permissions.holder(password)
        if holder is not None:
            return Known(*holder)
        # A thousand devices with a revoked key must not keep people's passwords waiting.
        if not shown.username or password.startswith(KEY_PREFIX):
            raise _refused(shown)
        account = self._permissions.account(shown.username)
        if account is not None and self._passwords.is_proven(account[1], password):
            return Known(account[0], f"password {account[1]}")
        return None

    def _is_internal(self, password: bytes | None) -> bool:
        secret = self._internal_secret
        return bool(secret) and secrets.compare_digest(secret, password or b"")

    async def slowly(self, shown: Showing) -> Known:
        """Return who it is by name and password; takes as long for a name that does not exist.

        Raises:
            ProtocolViolation: The two do not fit, or too many did not.
        """
        name, password = shown.username or "", _text(shown.password) or ""
        account = self._permissions.account(name)
        kept = account[1] if account is not None else ""
        check = self._checks.get((kept, password)) if kept else None
        # A thousand devices that come back with one password cost one check.
        fits = await asyncio.shield(check) if check else await self._check(shown, kept, password)
        # The organisation may have changed while this took its time.
        if account is None or not fits or account != self._permissions.account(name):
            raise _refused(shown)
        return Known(account[0], f"password {kept}")

    async def _check(self, shown: Showing, kept: str, password: str) -> bool:
        name = (shown.username or "").strip().lower()[:300]
        address = network(shown.address)
        shares = (
            (self._here, f"{name} {address}"),
            (self._address, address),
            (self._name, name),
        )
        if any(share.wait_s(key) > 0 for share, key in shares):
            why = f"too many wrong passwords for {name!r} or from {shown.address or 'there'}"
            raise ProtocolViolation(Reason.SERVER_BUSY, why)
        try:
            check = asyncio.wrap_future(self._passwords.check(kept, password))
        except Backpressure as error:
            raise ProtocolViolation(Reason.SERVER_BUSY, str(error)) from error
        # Taken before the answer, so that guesses made at one time count as those made in a row.
        for share, key in shares:
            share.take(key)
        self._checks[kept, password] = check
        try:
            fits = await asyncio.shield(check)
        finally:
            self._checks.pop((kept, password), None)
        if fits:
            for share, key in shares:
                share.give(key)
        return fits


def _text(password: bytes | None) -> str | None:
    """Return a password as text; none of ours is anything else."""
    try:
        return None if password is None else password.decode()
    except UnicodeDecodeError:
        return ""


def _refused(shown: Showing) -> ProtocolViolation:
    name = "nobody" if shown.username is None else f"user {shown.username[:80]!r}"
    return ProtocolViolation(Reason.BAD_USER_NAME_OR_PASSWORD, f"{name} is not let in")
