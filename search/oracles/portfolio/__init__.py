"""The portfolio of suggestions: the default oracle."""
