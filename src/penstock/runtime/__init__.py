"""Puts the rooms together: configuration, processes, supervision. Names the implementations."""
