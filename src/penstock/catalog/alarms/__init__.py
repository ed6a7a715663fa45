"""Alarms in the catalog."""
