"""Writes quantizers.json: tfmot's quantizers through three training steps and one inference.

    inputs   name -> {shape, steps: the four inputs, flat}
    traces   one per quantizer and inputs:
      quantizer, numBits, symmetric, narrowRange, perAxis    the quantizer; perAxis is the last axis
      inputs                                                 a name from above
      steps   four times {min, max, y, passed}; the first three are training steps, the last one is inference
        min, max    the range variables after the step, a number or, per axis, a list
        y           the output, flat
        passed      the gradient of the sum of y by each input, '1' or '0', flat

Run eagerly: see README.md for what a compiled function does otherwise. The range variables start at -6 and 6, those of
AllValues at 0 and 0. Numbers are float32 in their shortest decimals.
"""

from itertools import product

from common import decimals, flat, keras, np, tf, tfmot, write_json

QUANTIZERS = tfmot.quantization.keras.quantizers
SHAPES = {"vector": (5,), "matrix": (3, 4), "kernel": (2, 2, 1, 3)}
# The spread and offset of each step's normal numbers, in units of the spread. The last is the inference, which clips.
KINDS = {
    "mixed": [(1, 0), (8, 0), (0.5, 0), (0.7, 0)],
    "one_sided": [(1, 5), (2, -5), (0, 0), (4, 0)],
    "lopsided": [(3, 0.7), (0.02, -0.4), (100, 0.2), (30, 0)],
    # Maxima whose last bit moves where AllValues divides them by its ratio and multiplies with it again.
    "rising": [(2.1, 2), (4.2, 2), (8.4, 2), (2.1, 1)],
}


def make_inputs():
    generator = np.random.default_rng(5)
    zero = np.float32(0)  # makes -0 0, whose sign in a range would hang on the order of arguments
    return {
        f"{kind}_{name}": [generator.normal(offset, 1, shape).astype(np.float32) * np.float32(spread) + zero for spread, offset in steps]
        for (kind, steps), (name, shape) in product(KINDS.items(), SHAPES.items())
    }


def run_step(quantizer, variables, values, training):
    x = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = quantizer(x, training, variables)
    gradient = tape.gradient(y, x).numpy().reshape(-1)
    if not np.isin(gradient, (0, 1)).all():
        raise ValueError("the gradient is not a mask")
    return {
        "min": decimals(variables["min_var"].numpy()),
        "max": decimals(variables["max_var"].numpy()),
        "y": flat(y.numpy()),
        "passed": "".join(str(int(passed)) for passed in gradient),
    }


def trace(name, bits, symmetric, narrow, per_axis, inputs_name, inputs):
    quantizer = getattr(QUANTIZERS, f"{name}Quantizer")(bits, per_axis, symmetric, narrow)
    variables = quantizer.build(inputs[0].shape, "range", keras.layers.Layer())
    steps = [run_step(quantizer, variables, values, step < 3) for step, values in enumerate(inputs)]
    head = {"quantizer": name, "numBits": bits, "symmetric": symmetric, "narrowRange": narrow, "perAxis": per_axis}
    return {**head, "inputs": inputs_name, "steps": steps}


def cases(inputs):
    for name, bits, symmetric, narrow in product(("LastValue", "MovingAverage", "AllValues"), (4, 8), (False, True), (False, True)):
        for per_axis in (False, True) if name == "LastValue" else (False,):
            for inputs_name in inputs:
                if inputs_name.startswith("rising_"):
                    is_asked = inputs_name == "rising_matrix" and name == "AllValues"
                else:
                    is_asked = per_axis or inputs_name.endswith("_matrix")
                if is_asked:
                    yield name, bits, symmetric, narrow, per_axis, inputs_name


INPUTS = make_inputs()
TRACES = [trace(*case, INPUTS[case[-1]]) for case in cases(INPUTS)]
write_json(
    "quantizers.json",
    {
        "inputs": {name: {"shape": steps[0].shape, "steps": [flat(step) for step in steps]} for name, steps in INPUTS.items()},
        "traces": TRACES,
    },
)
print(f"{len(TRACES)} traces")
