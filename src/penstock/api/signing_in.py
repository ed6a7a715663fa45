"""Checks of names and passwords, with limits for those who guess."""

from __future__ import annotations

import asyncio

from penstock.core.access import Access
from penstock.core.clock import Clock
from penstock.core.errors import TooManyRequests, Unauthenticated
from penstock.core.organisation import User
from penstock.core.passwords import Passwords
from penstock.core.shares import Shares, network


class SigningIn:
    """Tells who somebody is by name and password.

    Wrong guesses use up a share: of the name at this address, of the address, and of the name
    from everywhere, which is large, so that nobody can easily lock others out. Right ones do not.

    Args:
        clock: For the shares.
        passwords: Checks them.
    """

    def __init__(self, clock: Clock, passwords: Passwords) -> None:
        self._passwords = passwords
        self._here = Shares(clock, per_s=1 / 30, most=5)
        self._address = Shares(clock, per_s=1 / 6, most=20)
        self._name = Shares(clock, per_s=1 / 6, most=100)

    async def check(self, access: Access, name: str, password: str, address: str) -> User:
        """Return the user whose name and password these are.

        Raises:
            Unauthenticated: They are not; it is not said which of the two is wrong.
            TooManyRequests: Too many guesses were wrong.
        """
        name = name.strip().lower()[:300]
        address = network(address)
        shares = (
            (self._here, f"{name} {address}"),
            (self._address, address),
            (self._name, name),
        )
        # Taken before the check, so that guesses made at one time count as those made in a row.
        self._take(shares)
        user = access.user(name)
        kept = user.password_hash if user is not None and not user.disabled else ""
        try:
            fits = await asyncio.wrap_future(self._passwords.check(kept, password))
        except BaseException:
            self._give_back(shares)
            raise
        if user is None or not fits:
            msg = "name or password is wrong"
            raise Unauthenticated(msg)
        self._give_back(shares)
        return user

    def _take(self, shares: tuple[tuple[Shares, str], ...]) -> None:
        wait_s = max(share.wait_s(key) for share, key in shares)
        if wait_s > 0:
            msg = f"too many wrong passwords; try again in {wait_s:.0f} seconds"
            raise TooManyRequests(msg, retry_after_s=wait_s)
        for share, key in shares:
            share.take(key)

    @staticmethod
    def _give_back(shares: tuple[tuple[Shares, str], ...]) -> None:
        for share, key in shares:
            share.give(key)
