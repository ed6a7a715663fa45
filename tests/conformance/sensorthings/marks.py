"""What a test checks, and what is known not to hold.

`requirement` names a requirement of the standard without its version: `req/request-data/filter`
stands for http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/filter. `behaviour` names
what FROST-Server, the reference implementation, tests of itself: a class, and a test of it.
"""

from __future__ import annotations

import pytest

requirement = pytest.mark.requirement
behaviour = pytest.mark.behaviour


def notimpl(reason: str) -> pytest.MarkDecorator:
    """Mark what could be done and is not."""
    return pytest.mark.xfail(strict=True, reason=f"not done: {reason}")


def never(reason: str) -> pytest.MarkDecorator:
    """Mark what will not be done."""
    return pytest.mark.xfail(strict=True, reason=f"never: {reason}")
