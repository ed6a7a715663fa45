"""Reads a text from left to right, by regular expressions that never go back."""

from __future__ import annotations

import re
from typing import NoReturn

from penstock.sensorthings.grammar.mistakes import invalid, shown

#: Longest text that is read, in characters.
MAX_LENGTH = 100_000
#: At most so many words, names and values in one text.
MAX_TOKENS = 20_000

_BLANKS = re.compile(r"[ \t\r\n]*+")
_FOUND = re.compile(r"'(?:[^']|'')*+'?|[\w.@$-]++|.", re.DOTALL)


class Scanner:
    """A place in a text.

    Args:
        text: What is read.
        part: What it is called in messages.

    Raises:
        InvalidInput: It is too long, or holds characters that are none.
    """

    def __init__(self, text: str, part: str) -> None:
        self.text = text
        self.part = part
        self.at = 0
        self._tokens = 0
        if len(text) > MAX_LENGTH:
            self.fail(f"{len(text)} characters are too many; up to {MAX_LENGTH} are read", 0)
        if "\0" in text:
            self.fail("the character U+0000 is not allowed", text.index("\0"))
        try:
            text.encode()
        except UnicodeEncodeError as problem:
            self.fail("not a character of Unicode", problem.start)

    def skip_blanks(self) -> int:
        """Go to the next character that is no blank and return where that is."""
        match = _BLANKS.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return self.at

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go behind what the pattern matches here; None, and stay, when it does not."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            self._tokens += 1
            if self._tokens > MAX_TOKENS:
                self.fail(f"more than {MAX_TOKENS} words are too many")
        return match

    def peek(self, text: str) -> bool:
        """Tell whether a text comes next, after blanks."""
        return self.text.startswith(text, self.skip_blanks())

    def take(self, text: str) -> bool:
        """Go behind a text when it comes next, after blanks."""
        if not self.peek(text):
            return False
        self.at += len(text)
        return True

    def expect(self, text: str, why: str = "") -> None:
        """Go behind a text that must come next, after blanks.

        Raises:
            InvalidInput: Something else does.
        """
        if not self.take(text):
            self.unexpected(f"{text!r}{why and ' ' + why}")

    @property
    def ended(self) -> bool:
        """Whether only blanks are left."""
        return self.skip_blanks() == len(self.text)

    def found(self) -> str:
        """Return how the next word is called in messages."""
        match = _FOUND.match(self.text, self.skip_blanks())
        return shown(match[0]) if match else "the end"

    def unexpected(self, expected: str, hint: str = "") -> NoReturn:
        """Refuse what comes next.

        Raises:
            InvalidInput: Always.
        """
        found = self.found()
        self.fail(f"found {found}, expected {expected}{hint}")

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        """Refuse the text.

        Raises:
            InvalidInput: Always.
        """
        raise invalid(self.part, self.at if at is None else at, problem)
