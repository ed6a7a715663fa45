"""The organisation, kept in the catalog's database: implements `core.identity`."""
