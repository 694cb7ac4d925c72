"""Quality layers: what a decoder shows before it has the whole file.

In: a trained model and the shares of the weights at which layers end. Out: the quantised tensors after each
layer, coarse first. Every layer but the last holds planes of its own, trained at wider steps towards its own
bytes (``train_layer.py``); the finished planes are then trained to agree with them (``refit.py``), so that
all layers together take little more than one. ``coarse_layers.py`` trains all of them.
Imports: config, export, kernels, rate, schedule, training.
"""
