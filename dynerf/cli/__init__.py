"""The command line: parses the arguments, runs one command, and turns errors into an exit status.

In: the process arguments and environment. Out: one line per error on standard error, and the exit status.
Help texts are in ``help_texts``, options and their parsers in ``arguments``; ``environment`` sets what torch
reads when it is loaded.

Imports: api, commands, console.
"""
