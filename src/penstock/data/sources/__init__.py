"""Where rows come from: what a source has now, and its rows, unparsed."""
