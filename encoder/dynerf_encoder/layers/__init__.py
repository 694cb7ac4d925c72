"""Quality layers: what a decoder shows before it has the whole file.

In: a trained model and the shares of the file at which layers end. Out: the quantised tensors after each
layer, coarse first, the last being the trained ones. Every layer but the last holds planes of its own,
trained at wider steps towards its own bytes (``train.py``); ``build.py`` puts the layers together.
Imports: config, export, rate, rays, schedule, step, training.
"""
