"""What the stages and the reports both stand on: errors, files, names and scales. Needs neither torch nor pandas."""
