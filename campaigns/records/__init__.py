"""The only readers and writers of tables, one file a noun; none of them commits."""
