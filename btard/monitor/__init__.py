"""What people see of a run: progress, tables, figures, and the summary that other programs read."""
