"""The straight line every request takes."""
