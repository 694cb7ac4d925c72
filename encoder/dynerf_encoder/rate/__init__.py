"""Rate-distortion: quantisation steps, the rate term of the loss, and control towards a target size.

In: the configuration's rounding steps, rate weight and target, and a model in training. Out: parameters
rounded as in the file during a step, gradients of their estimated bits, and the steps to write with.
Imports: config, kernels.
"""
