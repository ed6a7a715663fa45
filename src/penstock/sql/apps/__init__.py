"""Stream apps: who may do what with them, where their answers go, and how they are written down."""
