"""The commands of the command line, one a file: its options, and what it does with them.

Importing them imports nothing that takes long; what a command needs is imported when it runs.
"""
