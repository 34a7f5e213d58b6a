"""Small networks that both Keras 3 and Keras 2 build, of all the layers that TensorFlow.js knows and of what stands for others."""


def of(keras, is_keras3):
    """The networks, by name: a function that builds each with the layers of `keras`."""
    layers, Model, Input = keras.layers, keras.Model, keras.Input
    Sequential = keras.Sequential

    def images():
        x = image = Input((12, 10, 3))
        x = layers.Conv2D(6, 3, padding="same", use_bias=False, kernel_regularizer="l2")(x)
        x = layers.BatchNormalization(axis=-1)(x)
        x = shortcut = layers.ReLU(6.0)(x)
        x = layers.SeparableConv2D(6, 3, padding="same", activation="elu", depth_multiplier=2)(x)
        x = layers.BatchNormalization(scale=False)(x)
        x = layers.Add()([shortcut, x])
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="silu")(x)
        x = layers.ZeroPadding2D(((1, 0), (0, 1)))(x)
        x = layers.Conv2DTranspose(5, 3, strides=2, padding="valid", activation="gelu")(x)
        x = layers.Cropping2D(((1, 2), (0, 1)))(x)
        x = layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones")(x)
        x = layers.UpSampling2D(2)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.LeakyReLU()(x)
        x = layers.AveragePooling2D(2)(x)
        gates = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gates = layers.Conv2D(5, 1, activation="sigmoid")(gates)
        x = layers.Multiply()([x, gates])
        y = layers.GlobalMaxPooling2D()(x)
        x = layers.Concatenate()([layers.Flatten()(x), y])
        x = layers.Dropout(0.3)(x)
        x = layers.Dense(7, activation="softplus")(x)
        return Model(image, layers.Dense(4, activation="softmax", bias_initializer="random_normal")(x))

    def sequences():
        x = sequence = Input((14, 4))
        x = layers.Conv1D(5, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling1D(2)(x)
        x = layers.LayerNormalization()(x)
        x = layers.SpatialDropout1D(0.2)(x)
        x = layers.Conv1D(6, 2, strides=2, activation="tanh")(x)
        y = layers.AveragePooling1D(2, strides=1)(x)
        x = layers.Concatenate(axis=1)([x, y])
        x = layers.Permute((2, 1))(x)
        x = layers.Reshape((3, -1))(x)
        x = layers.TimeDistributed(layers.Dense(5, activation="selu"))(x)
        x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
        x = layers.RepeatVector(3)(x)
        x = layers.Activation("softsign")(x)
        return Model(sequence, layers.Softmax(axis=-1)(x))

    def volumes():
        x = volume = Input((6, 5, 4, 2))
        x = layers.Conv3D(3, 2, activation="relu")(x)
        x = layers.MaxPooling3D(2, padding="same")(x)
        x = layers.Conv3DTranspose(2, 2, strides=2)(x)
        x = layers.AveragePooling3D((1, 2, 1))(x)
        return Model(volume, x)

    def merges():
        a, b = Input((4, 3), name="a"), Input((4, 3), name="b")
        parts = [
            layers.Average()([a, b]),
            layers.Maximum()([a, b]),
            layers.Minimum()([a, b]),
            layers.Subtract()([a, b]),
            layers.Add()([a, b, a]),
        ]
        x = layers.Concatenate(axis=1)(parts)
        return Model([a, b], [layers.Dot(axes=1)([x, x]), layers.Subtract(name="difference")([b, a])])

    def recurrent():
        x = sequence = Input((6, 3))
        x = layers.LSTM(4, return_sequences=True, recurrent_activation="sigmoid")(x)
        x = layers.SimpleRNN(5, return_sequences=True, go_backwards=True)(x)
        x = layers.GRU(4, return_sequences=True, reset_after=False)(x)
        x = layers.Bidirectional(layers.GRU(3, return_sequences=True, reset_after=False), merge_mode="sum")(x)
        x = layers.Bidirectional(layers.LSTM(2), merge_mode="concat")(x)
        return Model(sequence, x)

    def states():
        """An encoder whose states are where a decoder starts."""
        source, target = Input((5, 3), name="source"), Input((4, 2), name="target")
        _, h, c = layers.LSTM(4, return_state=True)(source)
        y = layers.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
        return Model([source, target], layers.Dense(3)(y))

    def cells():
        x = sequence = Input((6, 3))
        x = layers.RNN(layers.LSTMCell(4), return_sequences=True)(x)
        x = layers.RNN([layers.SimpleRNNCell(3), layers.SimpleRNNCell(2)], return_sequences=True)(x)
        return Model(sequence, x)

    def conv_lstm():
        x = video = Input((3, 6, 5, 2))
        x = layers.ConvLSTM2D(3, 3, padding="same", recurrent_activation="sigmoid")(x)
        return Model(video, x)

    def words():
        x = text = Input((7,), dtype="int32")
        x = layers.Embedding(11, 5, mask_zero=True)(x)
        x = layers.LSTM(4, return_sequences=True)(x)
        x = layers.LSTM(3)(x)
        return Model(text, layers.Dense(2)(x))

    def masked():
        x = layers.Masking(0.0)(sequence := Input((5, 3)))
        return Model(sequence, layers.SimpleRNN(4)(x))

    def nested():
        """The same names of layers in two models within, one of them called twice, and one of models within."""

        def block(name, size, activation):
            x = inner = Input((size,), name="inner")
            x = layers.Dense(6, activation=activation, name="dense")(x)
            x = layers.BatchNormalization(name="norm")(x)
            return Model(inner, layers.Dense(size, name="dense_out")(x), name=name)

        twice, other = block("twice", 4, "relu"), block("alpha", 4, "tanh")
        deep_in = Input((4,), name="inner")
        deep = Model(deep_in, layers.Dense(3, name="after")(Sequential([other], name="wrap")(deep_in)), name="deep")
        a, b = Input((4,), name="a"), Input((4,), name="b")
        x = layers.Add(name="add")([twice(a), twice(b)])
        x = layers.Concatenate(name="join")([deep(x), layers.Dense(2, name="dense")(x)])
        head = Sequential([layers.Dense(5, activation="relu", name="dense"), layers.Dense(2, name="last")], name="head")
        return Model([a, b], [head(x), x])

    def frozen():
        """Weights that are not trained stand behind those that are."""
        inner = Sequential([Input((6, 6, 2)), layers.Conv2D(3, 2), layers.BatchNormalization(), layers.Conv2D(2, 2)])
        inner.layers[0].trainable = False
        model = Sequential([Input((6, 6, 2)), inner, layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)])
        inner.trainable = False
        return model

    def shared():
        dense, act = layers.Dense(4), layers.Activation("relu")
        a, b = Input((4,)), Input((4,))
        x = layers.Add()([act(dense(a)), act(dense(b)), dense(act(dense(a)))])
        return Model([a, b], [x, dense(x)])

    def steps():
        inner = Sequential([Input((6, 2)), layers.Conv1D(3, 2, activation="relu"), layers.Flatten(), layers.Dense(3)])
        x = video = Input((4, 6, 2))
        x = layers.TimeDistributed(inner)(x)
        return Model(video, layers.Dense(2)(x))

    def without_input():
        model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
        model.build((None, 3))
        return model

    def noise():
        x = a = Input((5,))
        for layer in (layers.GaussianNoise(0.3), layers.GaussianDropout(0.2), layers.AlphaDropout(0.1)):
            x = layer(x)
        return Model(a, layers.Dense(3)(layers.Identity()(x)))

    def rescaled():
        x = image = Input((4, 4, 3))
        x = layers.Rescaling(1 / 127.5, offset=-1)(x)
        x = layers.Rescaling([1.0, 0.5, 2.0], offset=[0.1, 0.2, 0.3])(x)
        x = layers.Normalization(axis=-1)(x)
        return Model(image, layers.GlobalAveragePooling2D()(x))

    def normalized():
        x = table = Input((5,))
        x = layers.Normalization()(x)
        x = layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0, 5.0], variance=[1.0, 4.0, 0.0, 2.0, 0.5])(x)
        return Model(table, layers.Dense(2)(x))

    def padded1d():
        x = sequence = Input((9, 3))
        x = layers.ZeroPadding1D((1, 2))(x)
        x = layers.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="relu")(x)
        x = layers.UpSampling1D(2)(x)
        x = layers.Cropping1D((2, 1))(x)
        x = layers.SeparableConv1D(5, 3, activation="tanh", padding="same")(x)
        x = layers.DepthwiseConv1D(2, depth_multiplier=2)(x)
        x = layers.Conv1DTranspose(3, 4, strides=2, padding="same")(x)
        return Model(sequence, x)

    def relus():
        x = a = Input((6, 3))
        parts = [
            layers.ReLU(negative_slope=0.2)(x),
            layers.ReLU(max_value=1.0, negative_slope=0.1)(x),
            layers.ReLU(threshold=0.5)(x),
            layers.ReLU(threshold=0.5, max_value=1.5)(x),
            layers.ThresholdedReLU(0.4)(x) if hasattr(layers, "ThresholdedReLU") else x,
            layers.ELU()(x),
        ]
        return Model(a, layers.Concatenate()(parts))

    def activations():
        x = a = Input((6,))
        names = "elu selu relu relu6 linear sigmoid hard_sigmoid softplus softsign tanh softmax log_softmax gelu mish silu"
        names += " leaky_relu exponential"[:11]
        if is_keras3:
            names += " hard_silu hard_tanh celu log_sigmoid tanh_shrink"
        return Model(a, [layers.Dense(3, activation=name)(x) for name in names.split()])

    def operators():
        x = image = Input((4, 4, 3))
        x = x / 127.5 - 1.0
        y = layers.Conv2D(3, 1)(x)
        x = (x + y) * 0.5
        x = 2.0 - x
        x = -(x - y) * y
        ops = keras.ops if is_keras3 else None
        if is_keras3:
            x = ops.relu(x) + ops.sigmoid(y) * ops.silu(y)
        else:
            import tensorflow as tf

            x = tf.nn.relu(x) + tf.sigmoid(y) * tf.nn.swish(y)
        # What MobileNetV3 writes.
        y = layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
        return Model(image, layers.Multiply()([x, y]))

    def stand_ins():
        x = image = Input((6, 6, 2))
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = layers.UpSampling2D((3, 2), interpolation="bilinear")(x)
        x = layers.SpatialDropout2D(0.2)(x)
        x = layers.CenterCrop(20, 17)(x)
        x = layers.RandomFlip()(x)
        x = layers.RandomRotation(0.1)(x)
        x = layers.ActivityRegularization(l2=0.1)(x)
        x = layers.Conv2D(4, 3, groups=2)(x)
        return Model(image, x)

    def pooled3d():
        x = volume = Input((3, 4, 2, 5))
        return Model(volume, [layers.GlobalAveragePooling3D()(x), layers.GlobalMaxPooling3D(keepdims=True)(x)])

    def causal_tensor_names():
        """Names in which TensorFlow.js's own look-up would find another layer."""
        x = a = Input((4,), name="constructor_")
        x = layers.Dense(4, name="kernel")(x)
        x = layers.Dense(4, name="dense_kernel")(x)
        return Model(a, layers.Dense(2, name="bias")(x))

    def dictionary():
        inputs = {"zeta": Input((3,), name="zeta"), "beta": Input((2,), name="beta")}
        x = layers.Concatenate()([inputs["zeta"], inputs["beta"]])
        return Model(inputs, {"second": layers.Dense(2, name="second")(x), "first": layers.Dense(3, name="first")(x)})

    return {name: build for name, build in locals().items() if callable(build) and name not in {"Model", "Input", "Sequential"}}
