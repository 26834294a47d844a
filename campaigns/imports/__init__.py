"""Reading files that others made: columns to fields, cells to values, rows to people and orders."""
