"""The nouns of the gateway and its one error tree: frozen data, no I/O."""
