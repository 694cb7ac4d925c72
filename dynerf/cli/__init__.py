"""The command line: parses the arguments, runs one command, and turns errors into an exit status.

In: the process arguments and environment. Out: one line per error on standard error, and the exit status.
``parser`` lists the commands; ``environment`` sets what torch reads when it is loaded.

Imports: commands, console.
"""
