"""Trains the digits networks of `npm run accuracy` with TensorFlow's toolkit: as it is, and with its ranges calibrated first.

    npm run accuracy                        # trains the float networks, which it leaves in out/accuracy
    pip install -r test/tfmot/requirements.txt && python accuracy/tfmot.py

Each starts from the same float weights as ours, and gets the same batches in the same order at the same learning rates.
Writes results/digits-tfmot.json as it goes, and goes on from there when run again.
"""

import base64
import gzip
import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "test" / "tfmot"))

from common import keras, np, tf, tfmot
from tensorflow_model_optimization.python.core.quantization.keras import quant_ops, quantizers

BATCH = 64
LEARNING_RATE = 3e-3
SAMPLES = 512
TRAIN_COUNT = 1437
WIDTHS = ["w8a8", "w4a8", "w4a4", "w3a8", "w2a8", "w3a3"]
RESULTS = HERE / "results" / "digits-tfmot.json"


def load_digits():
    records = np.frombuffer(gzip.decompress((HERE.parent / "demo" / "digits.bin.gz").read_bytes()), np.uint8)
    records = records.reshape(-1, 65)
    images = (records[:, :64] / np.float32(16)).astype(np.float32).reshape(-1, 8, 8, 1)
    return images, np.eye(10, dtype=np.float32)[records[:, 64]]


def float_model(weights):
    layers = keras.layers
    model = keras.Sequential(
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


def calibrate(model, images):
    """Sets the ranges to the extremes of a batch: a moving average that forgets everything before."""
    original = quant_ops.MovingAvgQuantize
    statistics = [(variable, variable.numpy()) for variable in model.weights if "/moving_" in variable.name]
    quant_ops.MovingAvgQuantize = lambda *args, **kwargs: original(*args, **{**kwargs, "ema_decay": 0.0})
    try:
        model(images, training=True)
    finally:
        quant_ops.MovingAvgQuantize = original
    for variable, value in statistics:
        variable.assign(value)


def train(model, images, labels, orders):
    steps = math.ceil(TRAIN_COUNT / BATCH) * len(orders)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.legacy.Adam(rate), "categorical_crossentropy")
    order = [i for epoch in orders for i in epoch]
    # Batches of each epoch by itself: its last one is smaller.
    batches = [epoch[start : start + BATCH] for epoch in orders for start in range(0, len(epoch), BATCH)]
    assert sum(map(len, batches)) == len(order) and len(batches) == steps
    dataset = tf.data.Dataset.from_generator(
        lambda: ((images[batch], labels[batch]) for batch in batches),
        output_signature=(tf.TensorSpec((None, 8, 8, 1)), tf.TensorSpec((None, 10))),
    )
    model.fit(dataset, epochs=1, verbose=0)


def accuracy(model, images, labels):
    right = np.argmax(model.predict(images, batch_size=len(images), verbose=0), 1) == np.argmax(labels, 1)
    return 100 * float(np.mean(right))


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "out" / "accuracy"
    seeds = sorted(int(path.stem.split("-")[-1]) for path in folder.glob("digits-seed-*.json"))
    if not seeds:
        sys.exit(f"There are no float networks in {folder}. Run npm run accuracy first.")
    images, labels = load_digits()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = {(result["row"], result["width"], result["seed"]) for result in results}
    for seed in seeds:
        saved = json.loads((folder / f"digits-seed-{seed}.json").read_text())
        for width in WIDTHS:
            for row in ["tfmot", "tfmot-calibrated"]:
                if (row, width, seed) in done:
                    continue
                keras.backend.clear_session()
                weight_bits, activation_bits = (int(text) for text in width[1:].split("a"))
                model = quantized(float_model(saved["weights"]), weight_bits, activation_bits)
                if row == "tfmot-calibrated":
                    calibrate(model, images[:SAMPLES])
                train(model, images[:TRAIN_COUNT], labels[:TRAIN_COUNT], saved["orders"])
                found = accuracy(model, images[TRAIN_COUNT:], labels[TRAIN_COUNT:])
                results.append({"row": row, "width": width, "seed": seed, "accuracy": found})
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text("[\n" + ",\n".join(json.dumps(each) for each in results) + "\n]\n")
                print(seed, width, row, f"{found:.2f}", flush=True)


if __name__ == "__main__":
    main()
