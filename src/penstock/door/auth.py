"""Who may come in, and what they may do."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from penstock.door.callers import Caller
from penstock.door.settings import User


class Action(Enum):
    """What a client wants to do with a topic or filter."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


#: User name of the platform's own connections; their client identifiers begin with it, and
#: nobody else's do.
INTERNAL = "$penstock"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is at the other end.

    Attributes:
        is_internal: Whether it is the platform itself, which may do everything that a client can.
    """

    client: str
    username: str | None
    is_internal: bool = False


def is_reserved(client: str) -> bool:
    """Say whether a client identifier is for the platform's own connections."""
    return client.startswith(INTERNAL)


class Authoriser(Protocol):
    """Decides what a client may do; the place where permissions will fit."""

    def scope(self, who: Principal) -> Hashable:
        """Return a key that is equal for all who get equal answers; answers are kept by it."""
        ...

    def authorise(self, who: Principal, topic: str, action: Action) -> bool:
        """Say whether `who` may do this with the topic (or filter, to subscribe)."""
        ...


class AllowAll:
    """Everyone who is in may do everything."""

    def scope(self, who: Principal) -> Hashable:  # noqa: ARG002
        """Return the one scope there is."""
        return None

    def authorise(self, who: Principal, topic: str, action: Action) -> bool:  # noqa: ARG002
        """Say yes."""
        return True


class Credentials:
    """Checks names and passwords against Argon2 hashes, slow on purpose, in threads.

    Args:
        users: Who may come in; nobody means anyone.
        internal_secret: Password of the platform's own connections; empty means there are none.
        certificate_names_user: Whether a client certificate says who it is, so that no password
            is asked for.
    """

    def __init__(
        self,
        users: Sequence[User],
        internal_secret: str = "",
        *,
        certificate_names_user: bool = True,
    ) -> None:
        self._internal_secret = internal_secret.encode()
        self._certificate_names_user = certificate_names_user
        self._hashes = {user.name: user.password_hash for user in users}
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="door-auth")
        #: Passwords that were right, so that a thousand reconnecting devices cost one check.
        self._proven: dict[str, bytes] = {}
        self._key = secrets.token_bytes(32)

    @property
    def required(self) -> bool:
        """Whether anyone must show a password."""
        return bool(self._hashes)

    def is_internal(self, password: bytes | None) -> bool:
        """Say whether this is the password of the platform's own connections."""
        secret = self._internal_secret
        return bool(secret) and secrets.compare_digest(secret, password or b"")

    def proven_name(self, caller: Caller) -> str | None:
        """Return the user name that the caller's certificate proves; None if a password must."""
        return caller.certificate_name if self._certificate_names_user else None

    async def verify(
        self,
        username: str | None,
        password: bytes | None,
        caller: Caller,  # noqa: ARG002
    ) -> bool:
        """Say whether name and password fit; takes as long for an unknown name."""
        if not self.required:
            return True
        if username is None or password is None:
            return False
        mark = hashlib.blake2b(password, key=self._key).digest()
        known = self._proven.get(username)
        if known is not None and secrets.compare_digest(known, mark):
            return True
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._threads, self._fits, username, password)
        if fits:
            self._proven[username] = mark
        return fits

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fits(self, username: str, password: bytes) -> bool:
        import argon2

        stored = self._hashes.get(username)
        hashed = stored or next(iter(self._hashes.values()))
        try:
            argon2.PasswordHasher().verify(hashed, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None


def hash_password(password: str) -> str:
    """Return the hash to put into `User.password_hash`."""
    import argon2

    hashed: str = argon2.PasswordHasher().hash(password)
    return hashed
