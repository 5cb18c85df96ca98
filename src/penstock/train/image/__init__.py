"""An image of a run's environment: its Containerfile, and building it."""
