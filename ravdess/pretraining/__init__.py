"""Pretraining: a face base learns the seven emotions of FER2013, so that `transfer_cnn` need not begin at noise.

`fer2013` reads and cleans the pictures, `augment` varies them, `train` fits a network in a way that survives being
killed, and `base` keeps the outcome as a bundle and gives it back.
"""
