"""The OGC SensorThings API 1.1 over a store and a catalog."""
