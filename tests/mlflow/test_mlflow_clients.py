"""MLflow's own client, of two versions, run unmodified against the server."""


def test_a_script_that_tracks(script, client):
    script("tracking", client.url)
