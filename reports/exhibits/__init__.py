"""One module per exhibit, named by its id; each has draw(evidence). Found by name, so there is no registry."""
