"""The control plane: FastAPI with health, metrics and the browsable documentation."""
