"""Keys in, principals out; what a principal may do."""
