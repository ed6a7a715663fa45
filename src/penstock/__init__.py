"""Penstock: sensor streams in, on disk, on a live chart, and commands back."""

__version__ = "0.1.0"

__all__ = ["__version__"]
