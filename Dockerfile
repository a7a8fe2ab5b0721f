# Not FROM freqtradeorg/freqtrade: these images carry Python 3.14, for which the pinned TensorFlow has no
# wheel (docs/docker.md). This is the Python of constraints.txt; user, folder and entrypoint are as in theirs.
FROM python:3.11-slim-trixie

# Keeps __pycache__ out of the mounted folders.
ENV PYTHONDONTWRITEBYTECODE=1

WORKDIR /freqtrade

# lightgbm, which freqtrade's freqai extra brings, takes OpenMP from the system.
# freqtrade works in user_data, and hyperopt writes beside the strategy: all else stays root's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home ftuser \
    && install --directory --owner ftuser --group ftuser user_data strategies

COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY config ./config
COPY dualwindow ./dualwindow
COPY dualwindow_agent ./dualwindow_agent
COPY dualwindow_freqtrade ./dualwindow_freqtrade
COPY dualwindow_sandbox ./dualwindow_sandbox
COPY dualwindow_trainer ./dualwindow_trainer
COPY freqaimodels ./freqaimodels
COPY strategies ./strategies

# With "tensorflow[and-cuda]" CUDA comes along as Python packages; the driver is the host's.
ARG TENSORFLOW=tensorflow

# Editable, so that the folders that docker-compose.yml mounts over these are what is imported.
# Not into ftuser's home: it could not be read under the other user ids that docs/docker.md allows.
RUN pip install --no-cache-dir --constraint constraints.txt --editable ".[freqtrade]" "$TENSORFLOW" \
    && pip check

# The web page of the REST API, as in the official image.
RUN freqtrade install-ui

# freqtrade keeps its trades in the working directory, dry ones apart from real ones. The links put
# both on the mounted volume; --db-url would mix them.
RUN ln -s user_data/tradesv3.sqlite user_data/tradesv3.dryrun.sqlite .

COPY user_data/config.json ./user_data/

USER ftuser
# Not a ping of the REST API, whose thread answers also for a bot that no longer predicts.
# Five candles of one minute; a longer timeframe needs more. The first training belongs to the start,
# and Docker knows of no other failure than 1.
HEALTHCHECK --interval=60s --timeout=20s --start-period=20m --retries=2 \
    CMD dualwindow status --silent-after 5 || exit 1
ENTRYPOINT ["freqtrade"]
CMD ["trade", "--freqaimodel", "DualWindowLSTM"]
