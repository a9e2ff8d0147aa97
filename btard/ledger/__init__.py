"""The ledger on disk: its format, its file, reading it back, the run's directory, the audit."""
