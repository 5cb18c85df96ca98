"""From source to version: write, audit, publish."""
