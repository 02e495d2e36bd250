"""The networks, one file each: a graph builder, its architecture's parameters, and nothing that trains.

Each module has ``SPACE`` and ``DEFAULTS`` (the parameters that shape the graph, as a family's) and
``build(keras, shape, classes, params, seed)``, which gives a `keras.Model` from pictures of `shape` [(height, width,
channels), values 0 … 255, uint8 or float] to logits [shape=(batch, classes)]. The rescaling stands in the graph, so
frames go in as they lie in a shard. `audio_cnn` and `audio_rnn` take windows of sound instead, (length, bands, 1).
Layers carry fixed names, and every random part is seeded by its place: a process may build many, in any order, and
each comes out the same.
"""

from typing import Final

LAYERS: Final = frozenset(
    {
        *("Functional", "InputLayer", "Rescaling", "Activation", "Add", "Concatenate", "Flatten", "Dropout", "Dense"),
        *("Conv2D", "SeparableConv2D", "ZeroPadding2D", "MaxPooling2D"),
        *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "BatchNormalization", "LayerNormalization"),
        *("Conv1D", "SeparableConv1D", "SpatialDropout1D", "GlobalMaxPooling1D", "Multiply", "Softmax"),
        *("Cropping1D", "Subtract"),
        *("GRU", "MultiHeadAttention", "Reshape", "HeUniform", "Orthogonal"),
    }
)
"""Every class in a saved network's configuration beyond `keras_file.PARTS`; a file that names others is not loaded."""
