"""Stream SQL: the language, and the engine that answers it over event-time slices."""
