"""Worlds in which the true risk is known: the bound holds in at least 1 - delta of 1,000 draws."""

import numpy as np

from qmf.theory import (
    LinearHead,
    bound_terms,
    bounded_loss,
    contraction_factor,
    fused,
    fused_loss,
    head_complexity,
)

DRAWS = 1000
DELTA = 0.05
N, RADIUS = 400, 0.8  # samples, and the ball, of heads that are fitted


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_exact_risk_of_fixed_classifiers():
    """Each sample trusts one of two modalities wholly, which is surely right or surely wrong: l(f) is 0/1 in effect.

    Nothing is lost to convexity, and losses at both ends are the hardest case for the confidence term. The true risk
    is a sum over the four kinds of samples.
    """
    kinds = np.array([[[1, 0], [1.0, 0.0]], [[1, 0], [0.0, 1.0]], [[0, 1], [1.0, 0.0]], [[0, 1], [0.0, 1.0]]])
    chance = np.array([0.4, 0.1, 0.2, 0.3])  # trusts 0 and is right, trusts 0 and is wrong, trusts 1 ...
    w, p = kinds[:, 0], np.repeat(kinds[:, None, 1], 2, axis=1)
    losses = bounded_loss(p[:, :, 0], 2)
    risk = float(chance @ fused_loss(fused(p, w), np.zeros(4, dtype=int)))
    rng = np.random.default_rng(0)
    holds, mean_alone, theorem = 0, 0, 0
    for _ in range(DRAWS):
        drawn = rng.choice(4, size=60, p=chance)
        b = bound_terms(w[drawn], losses[drawn], np.ones((60, 2), dtype=bool), complexity=[0.0, 0.0], delta=0.5)
        holds += b.held_out >= risk
        mean_alone += b.weighted_loss + b.covariance >= risk
        theorem += b.theorem_1 >= risk
    assert holds >= 0.5 * DRAWS
    assert theorem >= holds
    assert holds < DRAWS  # delta of one half: not so loose that it cannot fail
    assert mean_alone < 0.6 * DRAWS  # and without the confidence term it is a coin toss


def test_heads_fixed_beforehand():
    """Two linear heads, weights that depend on x; the risk is that of 400,000 samples."""
    rng = np.random.default_rng(1)
    heads, centres = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 2, 4))

    def outputs(n):
        y = rng.integers(0, 3, n)
        x = centres[y] + rng.normal(0, 1, (n, 2, 4)) * rng.choice([0.5, 3.0], size=(n, 2, 1))
        p = softmax(np.einsum("nmd,mkd->nmk", x, heads))
        return x, p, softmax(2 * p.max(axis=2)), y

    _, p, w, y = outputs(400_000)
    risk = float(fused_loss(fused(p, w), y).mean())
    factor, there = contraction_factor(3), np.ones((80, 2), dtype=bool)
    held_out = theorem = 0
    for draw in range(DRAWS):
        x, p, w, y = outputs(80)
        complexity = [
            factor * head_complexity(
                LinearHead(x[:, m], float(np.linalg.norm(heads[m]))), 3, draws=4, random_state=draw
            ).monte_carlo
            for m in range(2)
        ]  # fmt: skip
        b = bound_terms(w, bounded_loss(p[np.arange(80), :, y], 3), there, complexity=complexity, delta=DELTA)
        held_out += b.held_out >= risk
        theorem += b.theorem_1 >= risk
    assert held_out >= (1 - DELTA) * DRAWS
    assert theorem >= (1 - DELTA) * DRAWS


def test_heads_fitted_on_the_same_sample():
    """The mean loss is then too good to be true; what the complexity adds makes up for it, and says something still.

    Labels are drawn apart from x, so that the heads only learn by heart.
    """
    rng = np.random.default_rng(2)
    fresh = two_views(rng, 1, 4000)[0]
    same_sample = theorem = without = 0
    largest = 0.0
    for draw in range(DRAWS):
        if draw % 50 == 0:
            x, y, heads = fitted_on_noise(rng, 50)
        b = terms_of(x[draw % 50], y[draw % 50], heads[draw % 50], draw)
        risk = risk_of(heads[draw % 50], fresh)
        same_sample += b.same_sample >= risk
        theorem += b.theorem_1 >= risk
        without += b.held_out >= risk
        largest = max(largest, b.same_sample)
    assert same_sample >= (1 - DELTA) * DRAWS
    assert theorem >= (1 - DELTA) * DRAWS
    assert without < 0.5 * DRAWS  # the held-out bound is not for samples that the heads have seen
    assert largest < 1.0


def fitted_on_noise(rng, draws):
    """Give x [draws, M, n, D], y [draws, n], and heads [draws, M, K, D] fitted in a ball by gradient descent."""
    x, y = two_views(rng, draws, N), rng.integers(0, 2, size=(draws, N))
    heads = np.zeros((draws, 2, 2, x.shape[3]), dtype=np.float32)
    truth = np.eye(2, dtype=np.float32)[y][:, None]
    for _ in range(6):
        residual = truth - softmax(x @ heads.transpose(0, 1, 3, 2))
        heads += 2.0 / N * residual.transpose(0, 1, 3, 2) @ x
        heads /= np.maximum(np.linalg.norm(heads, axis=(2, 3), keepdims=True) / RADIUS, 1.0)
    return x, y, heads


def terms_of(x, y, heads, draw):
    p = softmax((x @ heads.transpose(0, 2, 1)).astype(np.float64)).transpose(1, 0, 2)
    w, losses, factor = fixed_weights(x), bounded_loss(p[np.arange(N), :, y], 2), contraction_factor(2)
    options = {"draws": 3, "random_state": draw}
    balls = [LinearHead(features, RADIUS) for features in x]
    own = [factor * head_complexity(ball, 2, **options).monte_carlo for ball in balls]
    weighted = [
        factor * head_complexity(ball, 2, weights=w[:, m], **options).monte_carlo for m, ball in enumerate(balls)
    ]
    there = np.ones((N, 2), dtype=bool)
    return bound_terms(w, losses, there, complexity=own, complexity_of_weighted=weighted, delta=DELTA)


def two_views(rng, draws, n):
    """Features [draws, 2, n, D] of two views of much the same thing, so that fusing them averages no error away."""
    x = rng.standard_normal((draws, 2, n, 100), dtype=np.float32)
    x[:, 1] = 0.95 * x[:, 0] + np.float32(np.sqrt(1 - 0.95**2)) * x[:, 1]
    return x


def fixed_weights(x):
    """Weights [n, 2] that depend on the sample and on nothing fitted."""
    first = 1 / (1 + np.exp(-x[0, :, 0].astype(np.float64)))
    return np.stack([first, 1 - first], axis=1)


def risk_of(heads, fresh):
    """Give the true risk: labels are a coin toss apart from x, so their mean is exact."""
    p = softmax((fresh @ heads.transpose(0, 2, 1)).astype(np.float64)).transpose(1, 0, 2)
    f = fused(p, fixed_weights(fresh))
    return float(np.mean([fused_loss(f, np.full(len(f), label)).mean() for label in (0, 1)]))
