"""Alarms: rules over stream queries, their life cycle, and who is told."""
