"""An LSTM layer that runs a whole window as one operation, several times as fast on a CPU."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

# What the operation returns: input gate, cell, forget gate, output gate, cell input, cell output,
# output; of all of these, only the cell and the output are used.
_OUTPUTS = ("i", "cs", "f", "o", "ci", "co", "h")


@tf.custom_gradient  # type: ignore[untyped-decorator]
def run_lstm(x: Any, kernel: Any, bias: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any, Any]]]:
    """Run an LSTM over whole sequences, from states of 0.

    TensorFlow 2.21 registers for this operation the gradient of its first version, whose gates come
    in another order: what is learnt with it is wrong, and nothing says so. Here it is its own one.

    Parameters
    ----------
    x : (steps, m, n) float32
    kernel : (n + units, 4 * units), of the inputs and then of the states; the gates in Keras'
        order: input, forget, cell, output
    bias : (4 * units,)

    Returns
    -------
    (steps, m, units) output of every step
    """
    units = bias.shape[0] // 4
    none, unused = tf.zeros((tf.shape(x)[1], units)), tf.zeros(units)
    given = {
        "seq_len_max": tf.cast(tf.shape(x)[0], tf.int64),
        "x": x,
        "cs_prev": none,
        "h_prev": none,
        "w": kernel,
        "wci": unused,
        "wcf": unused,
        "wco": unused,
        "b": bias,
        "use_peephole": False,
    }
    found = tf.raw_ops.BlockLSTMV2(**given, cell_clip=0.0)

    def gradient(of_output: Any) -> tuple[Any, Any, Any]:
        outputs = {name: getattr(found, name) for name in _OUTPUTS}
        of_cell = tf.zeros_like(found.cs)
        back = tf.raw_ops.BlockLSTMGradV2(**given, **outputs, cs_grad=of_cell, h_grad=of_output)
        return back.x_grad, back.w_grad, back.b_grad

    return found.h, gradient


@keras.saving.register_keras_serializable(package="dualwindow")
class FusedLstm(keras.layers.LSTM):  # type: ignore[misc]
    """Keras' LSTM with the very same weights, computed by TensorFlow's fused operation.

    Keras runs a loop of small operations, whose overhead is greater than their products. Only what
    is used here is there: the usual activations, no mask, no dropout inside, no first state, and no
    last cell.
    """

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        """Return the outputs of all steps or of the last one: (m, steps, units), (m, units).

        Where it goes backwards, they come in the order in which it goes.
        """
        assert initial_state is None
        assert mask is None
        cell = self.cell
        x = tf.transpose(sequences, (1, 0, 2))
        if self.go_backwards:
            x = tf.reverse(x, (0,))
        kernels = [tf.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel)]
        output = run_lstm(x, tf.concat(kernels, axis=0), tf.convert_to_tensor(cell.bias))
        return tf.transpose(output, (1, 0, 2)) if self.return_sequences else output[-1]
