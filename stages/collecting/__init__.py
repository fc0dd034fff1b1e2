"""What a tidy folder holds: rows and curves, and an account of the runs that made them."""
