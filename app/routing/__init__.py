"""Which deployments serve a model name now."""
