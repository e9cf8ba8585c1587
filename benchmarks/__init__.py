"""What a session saves and what a request costs, measured: `make bench`."""
