"""Two sides of a comparison, and what differs between them."""
