"""Versions of a dataset and the names that point to them."""
