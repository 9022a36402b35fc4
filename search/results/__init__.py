"""From the best trial to a measured, shipped model: retraining, ensemble, evaluation, export."""
