"""What a run is: its description, a plan for one, and what happens in it as events."""
