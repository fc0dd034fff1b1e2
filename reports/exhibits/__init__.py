"""One module per exhibit, named by its id, with draw(evidence); found by name, without a registry."""
