"""The lake: hot rows in memory, closed rows in sorted Parquet files with roll-ups beside them."""

from penstock.stores.lake.store import LakeStore

__all__ = ["LakeStore"]
