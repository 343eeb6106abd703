"""The loop of Flax's Linen examples, on the digits of scikit-learn."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
images = jnp.asarray(images / 16, jnp.float32)
labels = jnp.asarray(labels, jnp.int32)
traces = []


class MLP(nn.Module):
    """A small network."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.relu(nn.Dense(64)(x)))


@jax.jit
def train_step(state, x, y):
    traces.append(1)

    def loss_fn(params):
        logits = state.apply_fn({"params": params}, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    loss, grads = jax.value_and_grad(loss_fn)(state.params)
    return state.apply_gradients(grads=grads), loss


def train(tx, steps, update):
    model = MLP()
    params = model.init(jax.random.key(0), images[:1])["params"]
    state = TrainState.create(apply_fn=model.apply, params=params, tx=tx)
    for step in steps:
        batch = slice(step * 64 % 1700, step * 64 % 1700 + 64)
        state, loss = train_step(state, images[batch], labels[batch])
        state = update(state, step, loss=loss)
    return state.params
