"""The contract suites, public, for people who write their own store, log or connector.

Nothing is exported here on purpose: the suites need pytest, so import the one that you need.
"""
