"""What a request costs, measured: `make bench` and `make bench-peers`. How to read it: docs/performance.md."""
