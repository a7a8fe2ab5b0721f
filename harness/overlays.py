"""Changes of the shipped configuration that make its trainings small."""

SMALL = {
    "freqai": {
        "identifier": "small",
        "conv_width": 60,
        "train_period_days": 3,
        "backtest_period_days": 1,
        "feature_parameters": {"label_period_candles": 60},
        "model_training_parameters": {
            "kind": "lstm",
            "lstm_units": [8],
            "dense_units": [4],
            "batch_size": 32,
            "epochs": 4,
        },
        "dual_window": {
            "pooling": "pair",
            "labels": {f"{s}_take_profit": 0.005 for s in ("long", "short")},
        },
    }
}
