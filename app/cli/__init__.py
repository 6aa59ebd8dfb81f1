"""The command `mindgate`."""
