"""What environment and files say, read once and turned into domain objects."""
