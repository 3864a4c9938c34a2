"""What people see: HTTP, probes and, later, the board."""
