"""Output to the terminal and the log, and the choice of the device.

In: messages, results and progress reports. Out: bars or lines on standard error, results on standard output,
and JSON lines in the log of an encode. ``choose_device`` resolves ``auto`` to a torch device.

Imports: nothing of this package.
"""
