"""Children and their guardians, and youth mode."""
