"""A study as JSON, CSV and pictures."""
