"""The loop of Flax's MNIST tutorial, on the digits of scikit-learn."""

from functools import partial

import jax.numpy as jnp
import optax
from flax import nnx
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
images = jnp.asarray(images.reshape(-1, 8, 8, 1) / 16, jnp.float32)
labels = jnp.asarray(labels, jnp.int32)
traces = []


class CNN(nnx.Module):
    """A small convolutional network, with dropout."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 8, kernel_size=(3, 3), rngs=rngs)
        self.pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
        self.inner = nnx.Linear(128, 32, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.outer = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x):
        x = self.pool(nnx.relu(self.conv(x)))
        return self.outer(self.dropout(nnx.relu(self.inner(x.reshape(x.shape[0], -1)))))


def loss_fn(model, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()


def train(tx, steps, update):
    model = CNN(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer, x, y):
        traces.append(1)
        loss, grads = nnx.value_and_grad(loss_fn)(model, x, y)
        optimizer.update(model, grads)
        return loss

    for step in steps:
        batch = slice(step * 64 % 1700, step * 64 % 1700 + 64)
        loss = train_step(model, optimizer, images[batch], labels[batch])
        update(optimizer, step, loss=loss)
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))
