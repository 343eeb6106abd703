"""A loop with Optax alone, on the digits of scikit-learn."""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
images = jnp.asarray(images / 16, jnp.float32)
labels = jnp.asarray(labels, jnp.int32)
traces = []


def loss_fn(params, x, y):
    logits = jnp.tanh(x @ params["inner"]) @ params["outer"] + params["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def train(tx, steps, update):
    @jax.jit
    def train_step(params, opt_state, x, y):
        traces.append(1)
        loss, grads = jax.value_and_grad(loss_fn)(params, x, y)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    first, second = jax.random.split(jax.random.key(0))
    params = {
        "inner": 0.1 * jax.random.normal(first, (64, 64)),
        "outer": 0.1 * jax.random.normal(second, (64, 10)),
        "bias": jnp.zeros(10),
    }
    opt_state = tx.init(params)
    for step in steps:
        batch = slice(step * 64 % 1700, step * 64 % 1700 + 64)
        params, opt_state, loss = train_step(params, opt_state, images[batch], labels[batch])
        opt_state = update(opt_state, step, loss=loss)
    return params
