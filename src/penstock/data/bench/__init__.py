"""What is wrong with a version of a dataset, found before anything trains."""
