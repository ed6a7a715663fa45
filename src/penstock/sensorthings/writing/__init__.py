"""Writing: bodies of POST, PUT, PATCH and DELETE, and what becomes of them."""
