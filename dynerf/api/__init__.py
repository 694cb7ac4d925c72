"""The library's functions behind ``import dynerf``: open, encode, evaluate, info.

In: paths or addresses, and options as Python values. Out: a ``Clip`` to render from, an ``EncodeResult``, an
``Evaluation`` or an ``Info``. Options are validated here and handed to the encoder, decoder and player
packages; quantities such as ``2MB`` and ``1h30m`` are parsed here for the command line, too.

Imports: console.
"""
