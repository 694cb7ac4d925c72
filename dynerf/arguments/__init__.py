"""Parts of the commands' arguments: the description of a command, shared options, and parsers of values.

In: words of the command line. Out: checked values, or an error in one line that states what was found and
what was expected. Each command defines its own arguments in ``commands``.

Imports: api.
"""
