"""What benchmarks of whole processes share: a world of contacts, its mail, and processes with their costs."""
