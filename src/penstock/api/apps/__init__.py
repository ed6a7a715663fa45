"""Stream apps and questions in SQL, over HTTP."""
