"""The fit of the fusion's weights finds the part that tells the wanted passage from the others."""

from __future__ import annotations

import numpy as np
import pytest

from evals.train.fusion import fit


@pytest.mark.parametrize("telling", [0, 1, 2])
def test_the_telling_part_has_the_weight(telling: int) -> None:
    random = np.random.default_rng(telling)
    cases = []
    for _ in range(60):
        values = random.random((8, 3))
        wanted = (np.arange(8) == values[:, telling].argmax()).astype(float)
        cases.append((1.0, values, wanted))
    weights = fit(cases)
    assert weights.sum() == pytest.approx(1) and weights.min() >= 0
    assert weights.argmax() == telling and weights[telling] > 0.8
