"""Writes training.json: a small network quantized by tfmot's quantize_model, through five steps of plain SGD.

    float, quantized    the models' configurations, as Keras writes them, before and after quantize_model
    learningRate        of SGD without momentum; the loss is categoricalCrossentropy
    variables           name, shape and trainable of each variable of the quantized model, in Keras' order
    batches             per step: x, flat, of [BATCH, 8, 8, 1], and labels, the classes of the one-hot y
    states              six times (at the start, after each step) the values of all variables by name, flat
    losses              of each step, before its update
    probe               x of the predictions, flat
    predictions         six times, inference on the probe, flat
    tieMargin           how near any tensor comes to the tie between two levels in any step, in levels

A value nearer to a tie than sums in another order differ falls off it to the other side, and takes a whole level with
it: the seed is the one of a few with the widest margin. Keras' loss sees the quantized logits, not the softmax, and
its moving variance is unbiased (n / (n - 1), n = BATCH * 64), unlike that of tfjs. Numbers are float32 in their shortest decimals.
"""

import json

from common import decimals, flat, keras, np, tfmot, write_json
from ties import TieMargin

BATCH = 8
STEPS = 5
LEARNING_RATE = 0.02
SEEDS = range(20)
layers = keras.layers


def build_model():
    return keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.AveragePooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, activation="softmax", name="logits"),
        ],
        name="training",
    )


def make_images(generator):
    """Sixteenths, up to 15 of them: 16 would make 8 a tie."""
    return (generator.integers(0, 16, (BATCH, 8, 8, 1)) / 16).astype(np.float32)


def name_of(variable):
    return variable.name.split(":")[0]


def state_of(model):
    return {name_of(variable): variable.numpy() for variable in model.weights}


def run(seed, eager):
    """Five steps from a seed: the model, and everything that is written of it."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    generator = np.random.default_rng(seed)
    original = build_model()
    model = tfmot.quantization.keras.quantize_model(original)
    model.compile(keras.optimizers.SGD(LEARNING_RATE), "categorical_crossentropy", run_eagerly=eager)
    batches = [(make_images(generator), generator.integers(0, 10, BATCH)) for _ in range(STEPS)]
    probe = make_images(generator)
    states, predictions, losses = [state_of(model)], [model.predict(probe, verbose=0)], []
    for images, classes in batches:
        losses.append(model.train_on_batch(images, np.eye(10, dtype=np.float32)[classes]))
        states.append(state_of(model))
        predictions.append(model.predict(probe, verbose=0))
    return {
        "float": json.loads(original.to_json()),
        "quantized": json.loads(model.to_json()),
        "learningRate": LEARNING_RATE,
        "variables": [{"name": name_of(v), "shape": v.shape.as_list(), "trainable": v.trainable} for v in model.weights],
        "batches": [{"x": flat(images), "labels": classes.tolist()} for images, classes in batches],
        "states": [{name: flat(value) for name, value in state.items()} for state in states],
        "losses": decimals(np.float32(losses)),
        "probe": flat(probe),
        "predictions": [flat(values) for values in predictions],
    }


def margin_of(seed):
    with TieMargin() as margin:
        run(seed, eager=True)
    return margin.value


def worst_difference(one, other):
    pairs = [(one["losses"], other["losses"]), *zip(one["predictions"], other["predictions"])]
    pairs += [(a[name], b[name]) for a, b in zip(one["states"], other["states"]) for name in a]
    return max(np.abs(np.subtract(a, b)).max() for a, b in pairs)


if __name__ == "__main__":
    margins = {seed: margin_of(seed) for seed in SEEDS}
    seed = max(margins, key=margins.get)
    content = run(seed, eager=False)
    print(f"seed {seed}, margin {margins[seed]:.2g} levels, losses {content['losses']}")
    print(f"compiled - eager: at most {worst_difference(content, run(seed, eager=True)):.2g}")
    write_json("training.json", {**content, "tieMargin": round(float(margins[seed]), 8)})
