"""Writes placement.json: what tfmot's quantize_model makes of many small models.

    name -> {float, layers} or {float, error}
      float    the model before, as a configuration that tf.models.modelFromJSON reads
      layers   of the quantized model, InputLayers left out, each {name, className, config, activation, variables}
        config       class name and settings of the wrapper's quantize_config, or of a QuantizeLayer's quantizer
        activation   the wrapped layer's, if it has one: how tfmot writes it
        variables    [name, shape] of all variables, in Keras' order
      error    what tfmot says instead
"""

import json
import re

from common import keras, np, tfmot, write_json
from load_in_keras import without_keras_3_keys

L = keras.layers
CASES = {}


def case(name):
    """Adds the function, from an input tensor [8, 8, 2] to outputs, as a case."""

    def add(outputs):
        CASES[name] = outputs

    return add


def chain(name, *make_layers):
    @case(name)
    def outputs(x):
        for make in make_layers:
            x = make()(x)
        return x


def conv(**options):
    return lambda: L.Conv2D(3, 3, name="conv", **options)


def dense(**options):
    return lambda: L.Dense(3, name="dense", **options)


def norm():
    return L.BatchNormalization(name="norm")


def relu(**options):
    return lambda: L.ReLU(name="relu", **options)


def depthwise(**options):
    return lambda: L.DepthwiseConv2D(3, name="depthwise", **options)


def act(kind):
    return lambda: L.Activation(kind, name="act")


for kind in ("linear", "relu", "swish", "softmax", "sigmoid", "tanh", "gelu", "elu", "relu6"):
    chain(f"conv_{kind}", conv(activation=kind))
    chain(f"dense_{kind}", dense(activation=kind))
    chain(f"activation_{kind}", act(kind))
    chain(f"conv_then_activation_{kind}", conv(), act(kind))

for first_name, first in {"conv": conv(), "depthwise": depthwise(), "dense": dense()}.items():
    chain(f"{first_name}_norm", first, norm)
    chain(f"{first_name}_norm_relu", first, norm, relu())
    chain(f"{first_name}_norm_relu6", first, norm, relu(max_value=6.0))
    chain(f"{first_name}_norm_activation_relu", first, norm, act("relu"))
    chain(f"{first_name}_norm_activation_relu6", first, norm, act("relu6"))
    chain(f"{first_name}_norm_leaky", first, norm, lambda: L.LeakyReLU(name="leaky"))
    chain(f"{first_name}_norm_softmax", first, norm, lambda: L.Softmax(name="softmax"))
    chain(f"{first_name}_then_relu", first, relu())

chain("conv_relu_norm", conv(activation="relu"), norm)
chain("norm_alone", norm)
chain("relu_alone", relu())
chain("softmax_alone", lambda: L.Softmax(name="softmax"))
chain("conv_no_bias_norm", conv(use_bias=False), norm)
chain("conv_tanh_then_relu", conv(activation="tanh"), relu())
chain("depthwise_multiplier_2", depthwise(depth_multiplier=2))
chain("transposed", lambda: L.Conv2DTranspose(3, 2, name="transposed"))
chain("transposed_norm_relu", lambda: L.Conv2DTranspose(3, 2, name="transposed"), norm, relu())
chain("separable", lambda: L.SeparableConv2D(3, 3, activation="relu", name="separable"))
chain("separable_norm_relu", lambda: L.SeparableConv2D(3, 3, name="separable"), norm, relu())
chain("average_pooling", lambda: L.AveragePooling2D(name="pool"))
chain("max_pooling", lambda: L.MaxPooling2D(name="pool"))
chain("global_average_pooling", lambda: L.GlobalAveragePooling2D(name="pool"))
chain("global_max_pooling", lambda: L.GlobalMaxPooling2D(name="pool"))
chain("up_sampling", lambda: L.UpSampling2D(name="up"))
chain("shapes_only", lambda: L.ZeroPadding2D(name="pad"), lambda: L.Cropping2D(1, name="crop"), lambda: L.Dropout(0.5, name="drop"),
      lambda: L.Permute((2, 1, 3), name="permute"), lambda: L.Reshape((64, 2), name="reshape"), lambda: L.Flatten(name="flatten"))
chain("elu_layer", lambda: L.ELU(name="elu"))
chain("prelu", lambda: L.PReLU(name="prelu"))
chain("conv1d", lambda: L.Reshape((64, 2), name="reshape"), lambda: L.Conv1D(3, 3, name="conv"))
chain("lstm", lambda: L.Reshape((64, 2), name="reshape"), lambda: L.LSTM(3, name="lstm"))
chain("nested", lambda: keras.Sequential([L.Input((8, 8, 2), name="inner"), L.Dense(2, name="dense")], name="nested"))


@case("residual")
def _(x):
    a = L.Conv2D(2, 3, padding="same", activation="relu", name="a")(x)
    b = L.Conv2D(2, 3, padding="same", name="b")(a)
    return relu()()(L.Add(name="add")([a, b]))


@case("add_of_input")
def _(x):
    return L.Add(name="add")([x, L.Conv2D(2, 1, name="conv")(x)])


@case("norm_with_two_consumers")
def _(x):
    x = norm()(conv()()(x))
    return L.Add(name="add")([relu()()(x), x])


@case("conv_with_two_consumers")
def _(x):
    x = conv()()(x)
    return [norm()(x), relu()()(x)]


@case("add_with_two_consumers")
def _(x):
    x = L.Add(name="add")([x, x])
    return [relu()()(x), conv()()(x)]


@case("shared_conv")
def _(x):
    shared = L.Conv2D(2, 1, name="shared")
    return L.Add(name="add")([shared(x), shared(shared(x))])


@case("multiply")
def _(x):
    return L.Multiply(name="multiply")([x, x])


@case("concatenate_convs")
def _(x):
    return L.Concatenate(name="concatenate")([L.Conv2D(2, 1, name="a")(x), L.Conv2D(2, 1, activation="relu", name="b")(x)])


@case("concatenate_relus")
def _(x):
    return L.Concatenate(name="concatenate")([L.ReLU(name="a")(x), L.ReLU(name="b")(L.Conv2D(2, 1, name="conv")(x))])


@case("concatenate_conv_norm_relus")
def _(x):
    ends = [L.ReLU(name=f"relu_{i}")(L.BatchNormalization(name=f"norm_{i}")(L.Conv2D(2, 1, name=f"conv_{i}")(x))) for i in "ab"]
    return L.Concatenate(name="concatenate")(ends)


@case("concatenate_conv_norms")
def _(x):
    ends = [L.BatchNormalization(name=f"norm_{i}")(L.Conv2D(2, 1, name=f"conv_{i}")(x)) for i in "ab"]
    return L.Concatenate(name="concatenate")(ends)


@case("concatenate_three_poolings")
def _(x):
    return L.Concatenate(name="concatenate")([L.AveragePooling2D(name=name)(x) for name in "abc"])


@case("concatenate_with_input")
def _(x):
    return L.Concatenate(name="concatenate")([x, L.ReLU(name="a")(x)])


@case("concatenate_shared")
def _(x):
    a = L.ReLU(name="a")(x)
    return [L.Concatenate(name="concatenate")([a, L.ReLU(name="b")(x)]), L.MaxPooling2D(name="pool")(a)]


@case("concatenate_concatenated")
def _(x):
    inner = L.Concatenate(name="inner")([L.ReLU(name="a")(x), L.ReLU(name="b")(x)])
    return L.Concatenate(name="outer")([inner, L.ReLU(name="c")(x)])


def build(outputs):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    image = L.Input((8, 8, 2), name="image")
    return keras.Model(image, outputs(image), name="placement")


def config_of(model):
    return without_keras_3_keys(json.loads(model.to_json()))


def describe_layer(layer, config):
    settings = config["config"]
    activation = settings.get("layer", {}).get("config", {}).get("activation")
    described = {"name": layer.name, "className": config["class_name"]}
    described["config"] = settings.get("quantize_config", settings.get("quantizer"))
    if activation:
        described["activation"] = activation
    described["variables"] = [[variable.name.split(":")[0], variable.shape.as_list()] for variable in layer.weights]
    return described


def describe(outputs):
    model = build(outputs)
    described = {"float": config_of(model)}
    try:
        quantized = tfmot.quantization.keras.quantize_model(model)
    except (RuntimeError, ValueError) as error:
        first_sentence = str(error).split(". ")[0]
        return {**described, "error": re.sub(":?<[^>]*>", "", first_sentence)}
    configs = {layer["config"]["name"]: layer for layer in config_of(quantized)["config"]["layers"]}
    wrapped = [layer for layer in quantized.layers if not isinstance(layer, L.InputLayer)]
    return {**described, "layers": [describe_layer(layer, configs[layer.name]) for layer in wrapped]}


if __name__ == "__main__":
    content = {name: describe(outputs) for name, outputs in CASES.items()}
    write_json("placement.json", content)
    print(f"{len(content)} models, {sum('error' in entry for entry in content.values())} refused")
