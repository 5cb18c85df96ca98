"""What is done for each request, a module for each resource of the protocol."""
