"""A recorded run trained again in its own environment, and what makes two runs differ."""
