"""The service desk: look-up and cases."""
