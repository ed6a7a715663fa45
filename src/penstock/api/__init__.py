"""The HTTP API: REST under `/api/v1`, live events, health, metrics, and the web page."""
