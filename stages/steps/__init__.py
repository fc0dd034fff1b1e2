"""What the stages that train or look at a network share."""
