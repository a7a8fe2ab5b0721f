import numpy as np
import pytest
from datasieve.pipeline import Pipeline
from datasieve.transforms import (
    PCA,
    DissimilarityIndex,
    SKLearnWrapper,
    SVMOutlierExtractor,
    VarianceThreshold,
)
from sklearn.preprocessing import MinMaxScaler

from dualwindow_freqtrade.freqai import feature_pipeline
from dualwindow_freqtrade.freqai.feature_pipeline import PipelineScaler, prepared


def pipeline() -> Pipeline:
    return Pipeline([("scaler", SKLearnWrapper(MinMaxScaler()))])


def freqais() -> Pipeline:
    """What FreqAI hands over with all that it can find outliers with."""
    return Pipeline(
        [
            ("const", VarianceThreshold(threshold=0)),
            ("scaler", SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
            ("svm", SVMOutlierExtractor(nu=0.1)),
            ("di", DissimilarityIndex(di_threshold=3, n_jobs=1)),
        ]
    )


def test_a_pipeline_is_prepared_in_place_of_chance():
    before = freqais()
    made = prepared(before, "standard", seed=7)
    assert [name for name, _ in made.steps] == ["scaler", "svm", "di"]
    assert [step for _, step in made.steps][1:] == [step for _, step in before.steps][2:]
    chance = made["svm"]._skl.get_params()
    assert chance["shuffle"] is False
    assert chance["random_state"] == 7


def test_outliers_are_marked_where_they_stand_and_no_row_is_removed(seed):
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=(300, 2)), np.full(300, 4.0)])
    before, made = rows.copy(), prepared(freqais(), "standard", seed=0)
    rows.setflags(write=False)
    PipelineScaler(made).fit(rows)
    asked = rows[:6].copy()
    asked[1, 0], asked[4, 0] = np.nan, 100.0
    scaled = PipelineScaler(made).apply(asked)
    assert scaled.rows.shape == (6, 3)
    assert (scaled.rows[:, 2] == 0).all()  # a constant is kept
    assert scaled.known.tolist() == [True, False, True, True, True, True]
    assert not scaled.inliers[[1, 4]].any()
    assert scaled.inliers[[0, 2, 3, 5]].sum() >= 3
    assert scaled.dissimilarity[1] == 0
    assert scaled.dissimilarity[4] > 3 > scaled.dissimilarity[[0, 2, 3, 5]].max() > 0
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize(("free", "fits"), [(1700, True), (1699, False)])
def test_dissimilarity_is_refused_where_memory_is_short(monkeypatch, free, fits):
    """Ten rows have a hundred distances: eight bytes twice, and one for a mask."""
    monkeypatch.setattr(feature_pipeline, "_free_memory", lambda: free)
    rows = np.random.default_rng(0).normal(size=(10, 2))
    PipelineScaler(pipeline()).fit(rows)  # asks for no distances
    made = prepared(freqais(), "standard", seed=0)
    if fits:
        PipelineScaler(made).fit(rows)
        return
    with pytest.raises(MemoryError, match="compares all pairs of 10 training candles"):
        PipelineScaler(made).fit(rows)


def test_the_refusal_says_how_much_it_takes_and_what_to_do(monkeypatch):
    monkeypatch.setattr(feature_pipeline, "_free_memory", lambda: 12_000_000_000)
    with pytest.raises(MemoryError) as error:
        feature_pipeline.refuse_large_dissimilarity(100_000)
    assert str(error.value) == (
        "feature_parameters.DI_threshold compares all pairs of 100000 training candles, which "
        "takes about 170 GB; 12 GB are free. Shorten train_period_days, or use "
        "use_SVM_to_remove_outliers instead"
    )


def components() -> PipelineScaler:
    """What FreqAI hands over with `principal_component_analysis`."""
    steps = [
        ("const", VarianceThreshold(threshold=0)),
        ("scaler", SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
        ("pca", PCA(n_components=0.999)),
        ("post-pca-scaler", SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
    ]
    return PipelineScaler(prepared(Pipeline(steps), "standard", seed=0))


def rows_of_rank(rank: int, n: int) -> np.ndarray:
    """Eight features of which so many are independent."""
    rng = np.random.default_rng(rank)
    mixed, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    return rng.normal(size=(n, rank)) @ mixed[:rank]


@pytest.mark.parametrize("rank", [5, 6, 8])
def test_rows_are_as_wide_as_before(rank):
    rows, fitted = rows_of_rank(rank, 400), components()
    fitted.fit(rows)
    scaled = fitted.apply(np.vstack([rows, np.full((1, 8), np.nan)])).rows
    assert fitted._pipeline["pca"]._skl.n_components_ == rank
    assert scaled.shape == (401, 8)
    assert (scaled[:400, :rank].std(axis=0) > 0.1).all()
    assert (scaled[:, rank:] == 0).all()
    assert fitted.apply(rows[:2] * np.nan).rows.shape == (2, 8)


def test_rows_of_a_model_of_before_are_as_narrow_as_then():
    rows, fitted = rows_of_rank(5, 400), components()
    fitted.fit(rows)
    del fitted._width
    assert fitted.apply(rows).rows.shape == (400, 5)
