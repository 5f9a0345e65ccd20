"""One judge for every contender: objectives and proven gaps recomputed in float64 NumPy from weights alone.

Nothing here calls a contender. All objectives are in the sum form
    ½‖f(X) − Y‖² + penalty.
"""

import numpy as np


def patterns(X, gates):
    """The n × P matrix 1[X g_i > 0]; gates are d × P."""
    return (X @ gates > 0).astype(float)


def gated(X, Y, gates, lam, weights):
    """½‖Σ_i D_i X w_i − Y‖² + λ Σ_(i,c) ‖w_(i,c)‖, weights c × P × d. Returns (objective, residual Y − f)."""
    D = patterns(X, gates)
    f = np.stack([(D * (X @ block.T)).sum(1) for block in weights], 1)
    value = 0.5 * np.sum((f - Y) ** 2) + lam * np.linalg.norm(weights, axis=2).sum()
    return float(value), Y - f


def network(X, Y, lam, first, second):
    """½‖(X W₁)₊ W₂ − Y‖² + (λ/2)(‖W₁‖² + ‖W₂‖²), W₁ d × m, W₂ m × c. Returns (objective, residual)."""
    f = np.maximum(X @ first, 0) @ second
    value = 0.5 * np.sum((f - Y) ** 2) + 0.5 * lam * (np.sum(first**2) + np.sum(second**2))
    return float(value), Y - f


def decode(blocks):
    """The balanced network of the program's (u, v): lists of P × d arrays, one pair of lists per output.

    u_i gives w1 = u_i/√‖u_i‖, w2 = +√‖u_i‖ and v_i gives w2 = −√‖v_i‖.
    """
    outputs = len(blocks[0])
    first, second = [], []
    for sign, group in zip((1.0, -1.0), blocks):
        for output, rows in enumerate(group):
            norms = np.linalg.norm(rows, axis=1)
            for row, norm in zip(rows[norms > 0], norms[norms > 0]):
                first.append(row / np.sqrt(norm))
                column = np.zeros(outputs)
                column[output] = sign * np.sqrt(norm)
                second.append(column)
    if not first:
        return np.zeros((blocks[0][0].shape[1], 1)), np.zeros((1, outputs))
    return np.array(first).T, np.array(second)


def _dual_value(Y, residual, scale):
    return float(0.5 * np.sum(Y**2) - 0.5 * np.sum((scale * residual - Y) ** 2))


def _best_dual(Y, residual, lam, largest):
    """The best dual value along the ray t·residual inside the feasible set |t| · largest ≤ λ."""
    limit = lam / max(largest, 1e-300)
    best = float(np.sum(Y * residual) / max(np.sum(residual**2), 1e-300))
    return _dual_value(Y, residual, float(np.clip(best, -limit, limit)))


def gated_bound(X, Y, gates, lam, residual):
    """A lower bound of the gated program: the residual scaled into ‖Xᵀ D_i θ_c‖ ≤ λ."""
    D = patterns(X, gates)
    largest = max(np.linalg.norm(X.T @ (D[:, [i]] * residual), axis=0).max() for i in range(D.shape[1]))
    return _best_dual(Y, residual, lam, largest)


def cone_bound(X, Y, gates, lam, residual):
    """A lower bound of the program with cones over these patterns (one output).

    The dual norm max_{w ∈ K_i, ‖w‖ ≤ 1} ±θᵀ D_i X w is the distance of ±Xᵀ D_i θ from the polar cone, a
    non-negative least-squares problem per pattern and sign.
    """
    from scipy.optimize import nnls

    D = patterns(X, gates)
    theta = residual[:, 0]
    largest = 0.0
    for i in range(D.shape[1]):
        g = X.T @ (D[:, i] * theta)
        if np.linalg.norm(g) <= largest:
            continue
        polar = ((2 * D[:, [i]] - 1) * X).T
        for sign in (1.0, -1.0):
            largest = max(largest, nnls(polar, -sign * g, maxiter=20 * X.shape[0])[1])
    return _best_dual(Y, residual, lam, largest)
