"""A finished or running study -> figures -> one HTML file, plus its JSON and CSV."""
