"""Passwords: hashed slowly on purpose, checked a few at a time, however many ask."""

from __future__ import annotations

import hashlib
import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from penstock.core.errors import Backpressure, InvalidInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: Shortest password that somebody may choose, in characters.
MIN_LENGTH = 10
#: Longest, in characters: hashing more would only cost time.
MAX_LENGTH = 1000
#: Passwords that were right are remembered for so many hashes, so that a program which shows one
#: with every request costs one check.
MAX_PROVEN = 1000


def check_password(password: str, least: int = MIN_LENGTH) -> str:
    """Return a password if it may be chosen.

    Raises:
        InvalidInput: It is too short or too long.
    """
    if not least <= len(password) <= MAX_LENGTH:
        msg = (
            f"a password of {len(password)} characters is not allowed; {least} to {MAX_LENGTH} are"
        )
        raise InvalidInput(msg)
    return password


class Passwords:
    """Hashes and checks passwords with Argon2.

    Args:
        hasher: Its cost; that of RFC 9106's second choice when not given.
        threads: Checks at one time; each takes a processor and 64 MiB for some 50 ms.
        max_waiting: Checks that may wait for a thread; more are refused.
    """

    def __init__(
        self, hasher: PasswordHasher | None = None, threads: int = 1, max_waiting: int = 20
    ) -> None:
        self._given = hasher
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._max_waiting = max_waiting
        self._waiting = 0
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)
        self._proven: dict[str, bytes] = {}

    def hash(self, password: str) -> str:
        """Return what to keep of a password; takes some 50 ms."""
        return self._hasher.hash(password)

    def check(self, kept: str, password: str) -> Future[bool]:
        """Tell whether a password fits what was kept of it, some 50 ms later.

        With nothing kept (no such user, or one without a password) it takes as long to say no.

        Raises:
            Backpressure: Too many wait for their check.
        """
        mark = self._mark(password)
        with self._lock:
            if self._is_proven(kept, mark):
                done: Future[bool] = Future()
                done.set_result(True)
                return done
            if self._waiting >= self._max_waiting:
                msg = f"{self._waiting} passwords wait to be checked; try again in a moment"
                raise Backpressure(msg, retry_after_s=2.0)
            self._waiting += 1
        return self._threads.submit(self._check, kept, password, mark)

    def is_proven(self, kept: str, password: str) -> bool:
        """Tell whether a password was right lately, so that it need not be checked again."""
        with self._lock:
            return self._is_proven(kept, self._mark(password))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _mark(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode(errors="surrogatepass"), key=self._salt).digest()

    def _is_proven(self, kept: str, mark: bytes) -> bool:
        proven = self._proven.get(kept) if kept else None
        return proven is not None and secrets.compare_digest(proven, mark)

    def _check(self, kept: str, password: str, mark: bytes) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            fits = self._hasher.verify(kept or self._nobody, password[: MAX_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False
        finally:
            with self._lock:
                self._waiting -= 1
        if not (fits and kept):
            return False
        with self._lock:
            while len(self._proven) >= MAX_PROVEN:
                self._proven.pop(next(iter(self._proven)))
            self._proven[kept] = mark
        return True

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return self._given or PasswordHasher()

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password fits."""
        return self._hasher.hash(secrets.token_urlsafe(32))
