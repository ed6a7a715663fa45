"""Runs queries over slices of event time; the store is the only state. See decision 15."""
