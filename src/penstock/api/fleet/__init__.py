"""Devices over HTTP: who they are, commands, state, logs, tracks, targets."""
