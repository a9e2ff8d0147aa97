"""What a person sees in the terminal while a run goes on, and the figure of it afterwards."""
