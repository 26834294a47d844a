"""What can be wrong with an installation, looked at one by one; each finding names its cure."""
