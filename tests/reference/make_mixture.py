#!/usr/bin/env python3
"""Numbers for tests/engine/transform/test_mixture.c, from scikit-learn's BayesianGaussianMixture.

    python3 tests/reference/make_mixture.py > tests/reference/mixture.txt      (scikit-learn 1.9.1, numpy)

Each case starts from given hard labels (runs of the sorted values), so that the iteration itself is compared and not the
k-means start. A case is

    case NAME n k
    v  value ...                  (n sorted values)
    e  end ...                    (k ends of the runs; cluster c has the values end[c-1] .. end[c]-1)
    r  iterations_done bound      (for max_iter 1, 5 and 100), followed by
    m / s / w  k numbers each     (means, variances, normalised weights)
    p  value probability ...      (predict_proba at three values, after the last run)
"""
import warnings

import numpy as np
from sklearn.mixture import BayesianGaussianMixture

warnings.filterwarnings("ignore")


class FromLabels(BayesianGaussianMixture):
    def start_from(self, responsibilities):
        self.given = responsibilities
        return self

    def _initialize_parameters(self, X, random_state, xp=None):
        self._initialize(X, self.given)


def show(values):
    return " ".join(repr(float(v)) for v in values)


def make_case(name, values, k, ends):
    x = np.sort(np.asarray(values, dtype=np.float64)).reshape(-1, 1)
    given = np.zeros((len(x), k))
    first = 0
    for c, end in enumerate(ends):
        given[first:end, c] = 1.0
        first = end
    print("case", name, len(x), k)
    print("v", show(x[:, 0]))
    print("e", *ends)
    for max_iter in (1, 5, 100):
        model = FromLabels(n_components=k, weight_concentration_prior_type="dirichlet_process",
                           weight_concentration_prior=0.001, max_iter=max_iter, n_init=1)
        model.start_from(given).fit(x)
        print("r", model.n_iter_, repr(float(model.lower_bound_)))
        print("m", show(model.means_[:, 0]))
        print("s", show(model.covariances_[:, 0, 0]))
        print("w", show(model.weights_))
    for at in (x[0, 0], x[len(x) // 2, 0] + 0.25 * x.std(), x[-1, 0]):
        print("p", repr(float(at)), show(model.predict_proba(np.array([[at]]))[0]))


def main():
    rng = np.random.default_rng(20)
    two = np.round(np.concatenate([rng.normal(-3, 0.5, 150), rng.normal(4, 2, 150)]), 6)
    make_case("two_bells", two, 10, [20, 60, 110, 150, 170, 200, 230, 260, 290, 300])
    ages = np.round(rng.gamma(6, 6, 400)) + 17
    make_case("whole_numbers_with_ties", ages, 10, [10, 40, 90, 150, 200, 250, 300, 340, 380, 400])
    spike = np.concatenate([np.zeros(270), np.round(rng.lognormal(8, 1.2, 30))])
    make_case("spike_and_tail", spike, 10, [270, 271, 275, 280, 285, 289, 293, 296, 299, 300])
    make_case("fewer_values_than_ten", [1.0, 2.0, 2.0, 3.5, 8.0, 9.0, 30.0], 7, [1, 3, 4, 5, 6, 7, 7])
    make_case("small_numbers", np.round(rng.normal(0, 1e-3, 100), 9), 10, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100])


main()
