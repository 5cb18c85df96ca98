"""Containers: the program that builds and runs them, and a process in one."""
