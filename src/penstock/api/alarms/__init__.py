"""Alarms, their rules, and who is told."""
