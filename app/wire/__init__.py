"""An HTTP/1.1 client: connections, their pool, and what may go wrong on them. Knows nothing of models."""
