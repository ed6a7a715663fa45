"""`INSERT ... ON CONFLICT`, which SQLite has from PostgreSQL, word for word.

SQLAlchemy has a class for each; of PostgreSQL's, SQLite's compiler understands all that it can do.
"""

from sqlalchemy.dialects.postgresql import insert as upsert

__all__ = ["upsert"]
