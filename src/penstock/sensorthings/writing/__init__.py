"""Writing: bodies of POST, PUT, PATCH and DELETE, and what becomes of them."""

from __future__ import annotations

from penstock.sensorthings.writing.asked import Answer, Asked, Parts, Run
from penstock.sensorthings.writing.writing import Writing

__all__ = ["Answer", "Asked", "Parts", "Run", "Writing"]
