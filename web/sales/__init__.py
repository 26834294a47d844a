"""The sales desk: customers and their records, tasks."""
