"""The steps. Each names the one before it; none is edited once it was released."""
