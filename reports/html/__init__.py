"""The report's page and the parts of it that are no figures."""
