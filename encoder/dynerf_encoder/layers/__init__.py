"""Quality layers: what a decoder shows before it has the whole file.

In: a trained model and the shares of the file at which layers end. Out: the quantised tensors after each
layer, coarse first, the last being the trained ones. Every layer but the last holds planes of its own,
trained at wider steps towards its own bytes (``train_layer.py``); ``coarse_layers.py`` trains all of them.
Imports: config, export, rate, schedule, training.
"""
