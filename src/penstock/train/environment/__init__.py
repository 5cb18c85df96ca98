"""The environment of a training: captured where its libraries are loaded, locked, and packed where no index has it."""
