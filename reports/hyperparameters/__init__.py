"""What a study says of its hyperparameters: as they were declared, and how much each mattered."""
