"""The composition root: everything is built here, in the order of the floors, and closed in reverse."""
