"""What a dataset promises: the file that says so, a first draft of it, and its rules as expressions over rows."""
