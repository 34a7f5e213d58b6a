"""Times a step of training the digit classifier in Keras, as it is and as tfmot quantizes it, in graph mode. Writes JSON.

The network, the optimizer and the batch of 64 are those of the rows step-digits; threads are as many as TensorFlow takes.
"""

import json
import os
import sys
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf
import tf_keras as keras
import tensorflow_model_optimization as tfmot

BATCH = 64
ROUNDS = 11
# Of a round.
STEPS = 20

layers = keras.layers
LOSS = keras.losses.CategoricalCrossentropy()


def digits_model():
    """lab/digit_classifier.ts."""
    return keras.Sequential(
        [
            layers.Conv2D(8, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def train_on_batch(model, x, y):
    model.compile(keras.optimizers.legacy.Adam(1e-3), LOSS)
    return lambda: model.train_on_batch(x, y)


def train_function(model, x, y):
    """A step as one tf.function, without what Keras does about it in Python."""
    optimizer = keras.optimizers.legacy.Adam(1e-3)
    inputs, targets = tf.constant(x), tf.constant(y)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = LOSS(targets, model(inputs, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    return lambda: float(step())


def sample(step):
    """Milliseconds of a step."""
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) * 1e3 / STEPS


def spread(values):
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}


def race(how, x, y):
    """Float and quantized in turn; the ratio is taken within a round."""
    keras.utils.set_random_seed(7)
    steps = {
        "float": how(digits_model(), x, y),
        "quantized": how(tfmot.quantization.keras.quantize_model(digits_model()), x, y),
    }
    for step in steps.values():
        losses = [step() for _ in range(STEPS)]
        assert losses[-1] < losses[0], f"the model does not train: {losses}"
    times = {name: [] for name in steps}
    for turn in range(ROUNDS):
        for name in list(steps) if turn % 2 else reversed(list(steps)):
            times[name].append(sample(steps[name]))
    ratios = [quantized / plain for quantized, plain in zip(times["quantized"], times["float"])]
    return {**{name: spread(values) for name, values in times.items()}, "ratio": spread(ratios)}


random = np.random.default_rng(1)
images = random.normal(size=(BATCH, 8, 8, 1)).astype(np.float32)
labels = np.eye(10, dtype=np.float32)[np.arange(BATCH) % 10]
steps = {"train_on_batch": train_on_batch, "tf.function": train_function}
json.dump(
    {
        "tensorflow": tf.__version__,
        "tfmot": tfmot.__version__,
        "steps": [{"how": name, **race(how, images, labels)} for name, how in steps.items()],
    },
    sys.stdout,
)
