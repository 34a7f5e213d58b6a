"""Trains the networks of `npm run accuracy` with TensorFlow's toolkit: as it is, with its ranges calibrated first, and with
its BatchNormalization's statistics measured anew at the end besides.

    npm run accuracy                        # trains the float networks, which it leaves in out/accuracy
    pip install -r test/tfmot/requirements.txt && python accuracy/tfmot.py [--task mnist]

Each starts from the same float weights as ours, and gets the same batches in the same order at the same learning rates.
Writes results/TASK-tfmot.json as it goes, and goes on from there when run again.
"""

import argparse
import base64
import contextlib
import gzip
import json
import math
import pathlib
import sys
from typing import Callable, NamedTuple

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "test" / "tfmot"))

from common import keras, np, tf, tfmot
from tensorflow_model_optimization.python.core.quantization.keras import quant_ops, quantizers

BATCH = 64
LEARNING_RATE = 3e-3
SAMPLES = 512
CLASSES = 10
FLOATS = HERE.parent / "out" / "accuracy"
WIDTHS = ["w8a8", "w4a8", "w4a4", "w3a8", "w2a8", "w3a3"]


class Task(NamedTuple):
    """What tasks.ts has: images and labels, one after the other, and a network."""

    records: pathlib.Path
    side: int
    white: int
    train_count: int
    model: Callable

    def load(self):
        pixels = self.side**2
        records = np.frombuffer(gzip.decompress(self.records.read_bytes()), np.uint8).reshape(-1, pixels + 1)
        images = (records[:, :pixels] / np.float32(self.white)).astype(np.float32)
        return images.reshape(-1, self.side, self.side, 1), np.eye(CLASSES, dtype=np.float32)[records[:, pixels]]


def digits_model():
    layers = keras.layers
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
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def mnist_model():
    layers = keras.layers

    def normalized(x, layer, is_linear=False):
        y = layers.BatchNormalization()(layer(x))
        return y if is_linear else layers.ReLU(max_value=6)(y)

    def conv(filters, kernel_size, strides=1):
        return layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False)

    def block(x):
        depthwise = layers.DepthwiseConv2D(3, padding="same", use_bias=False)
        inside = normalized(normalized(x, conv(24, 1)), depthwise)
        return layers.Add()([x, normalized(inside, conv(8, 1), is_linear=True)])

    images = keras.Input((14, 14, 1))
    stem = layers.MaxPooling2D(2, padding="same")(normalized(images, conv(8, 3, 2)))
    pooled = layers.GlobalAveragePooling2D()(block(block(stem)))
    return keras.Model(images, layers.Dense(CLASSES, activation="softmax")(pooled))


TASKS = {
    "digits": Task(HERE.parent / "lab" / "digits.bin.gz", 8, 16, 1437, digits_model),
    "mnist": Task(HERE.parent / "lab" / "mnist.bin.gz", 14, 255, 1500, mnist_model),
}


def load_weights(model, weights):
    rest = iter(weights)
    for layer in model.layers:
        layer.set_weights([decoded(next(rest)) for _ in layer.get_weights()])
    return model


def decoded(tensor):
    return np.frombuffer(base64.b64decode(tensor["data"]), np.float32).reshape(tensor["shape"])


def quantizers_of(value, seen):
    """Every quantizer that a layer holds, in whatever it keeps them."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, quantizers.Quantizer):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from quantizers_of(each, seen)
    elif isinstance(value, dict):
        yield from quantizers_of(list(value.values()), seen)
    elif type(value).__module__.startswith("tensorflow_model_optimization"):
        yield from quantizers_of(list(vars(value).values()), seen)


def quantized(model, weight_bits, activation_bits):
    """What quantize_model gives, with other widths: it knows 8 bits only."""
    result = tfmot.quantization.keras.quantize_model(model)
    for layer in result.layers:
        of_weights = [quantizer for _, quantizer, _ in getattr(layer, "_weight_vars", [])]
        for quantizer in quantizers_of(layer, set()):
            quantizer.num_bits = weight_bits if any(quantizer is each for each in of_weights) else activation_bits
    return result


@contextlib.contextmanager
def ranges_decay(decay):
    """Has ranges keep this share of themselves when a batch passes."""
    original = quant_ops.MovingAvgQuantize
    quant_ops.MovingAvgQuantize = lambda *args, **kwargs: original(*args, **{**kwargs, "ema_decay": decay})
    try:
        yield
    finally:
        quant_ops.MovingAvgQuantize = original


def calibrate(model, images):
    """Sets the ranges to the extremes of a batch: a moving average that forgets everything before."""
    statistics = [(variable, variable.numpy()) for variable in model.weights if "/moving_" in variable.name]
    with ranges_decay(0.0):
        model(images, training=True)
    for variable, value in statistics:
        variable.assign(value)


def reestimate(model, images):
    """Sets BatchNormalization's statistics to their mean over batches, with the ranges as they are."""
    inner = [getattr(layer, "layer", layer) for layer in model.layers]
    norms = [layer for layer in inner if isinstance(layer, keras.layers.BatchNormalization)]
    with ranges_decay(1.0):
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            for norm in norms:
                norm.momentum = start / (start + len(batch))
            model(batch, training=True)


def train(model, images, labels, orders):
    steps = math.ceil(len(images) / BATCH) * len(orders)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.legacy.Adam(rate), "categorical_crossentropy")
    order = [i for epoch in orders for i in epoch]
    # Batches of each epoch by itself: its last one is smaller.
    batches = [epoch[start : start + BATCH] for epoch in orders for start in range(0, len(epoch), BATCH)]
    assert sum(map(len, batches)) == len(order) and len(batches) == steps
    dataset = tf.data.Dataset.from_generator(
        lambda: ((images[batch], labels[batch]) for batch in batches),
        output_signature=(tf.TensorSpec((None, *images.shape[1:])), tf.TensorSpec((None, CLASSES))),
    )
    model.fit(dataset, epochs=1, verbose=0)


def accuracy(model, images, labels):
    right = np.argmax(model.predict(images, batch_size=len(images), verbose=0), 1) == np.argmax(labels, 1)
    return 100 * float(np.mean(right))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, default="digits")
    name = parser.parse_args().task
    task = TASKS[name]
    seeds = sorted(int(path.stem.split("-")[-1]) for path in FLOATS.glob(f"{name}-seed-*.json"))
    if not seeds:
        sys.exit(f"There are no float networks of {name} in {FLOATS}. Run npm run accuracy first.")
    images, labels = task.load()
    examples, test = [(images[part], labels[part]) for part in (np.s_[: task.train_count], np.s_[task.train_count :])]
    file = HERE / "results" / f"{name}-tfmot.json"
    results = json.loads(file.read_text()) if file.exists() else []
    done = {(result["row"], result["width"], result["seed"]) for result in results}
    for seed in seeds:
        saved = json.loads((FLOATS / f"{name}-seed-{seed}.json").read_text())
        for width in WIDTHS:
            for row in ["tfmot", "tfmot-calibrated", "tfmot-bn"]:
                if (row, width, seed) in done:
                    continue
                keras.backend.clear_session()
                weight_bits, activation_bits = (int(text) for text in width[1:].split("a"))
                model = quantized(load_weights(task.model(), saved["weights"]), weight_bits, activation_bits)
                if row != "tfmot":
                    calibrate(model, images[:SAMPLES])
                train(model, *examples, saved["orders"])
                if row == "tfmot-bn":
                    reestimate(model, images[:SAMPLES])
                found = accuracy(model, *test)
                results.append({"row": row, "width": width, "seed": seed, "accuracy": found})
                file.write_text("[\n" + ",\n".join(json.dumps(each) for each in results) + "\n]\n")
                print(seed, width, row, f"{found:.2f}", flush=True)


if __name__ == "__main__":
    main()
