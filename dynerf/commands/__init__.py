"""The commands, one module each: help page, arguments and ``run(options) -> exit status``.

In: an ``argparse.Namespace``. Out: files, messages on standard error, results on standard output. A command
converts its options, calls the library and prints what it returns. Heavy imports are inside the functions,
so that ``info``, ``verify``, ``repair``, ``cut`` and ``join`` run without torch.

Imports: api, arguments, console.
"""
