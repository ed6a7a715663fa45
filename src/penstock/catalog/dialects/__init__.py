"""The databases that the catalog can be kept in, and what they say in different words."""
