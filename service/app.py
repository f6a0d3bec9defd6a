"""
Builds the parts and joins them: the one file that knows them all.

gunicorn starts `service.app:create_door()` in every worker, after the fork; a test drives `create_app(settings)` with
Flask's own client.
"""

import gc
import os
from pathlib import Path

import numpy as np

from service import snapshot
from service.api import (
    classify,
    errors,
    explain,
    feature_maps,
    filters,
    inference,
    models,
    operations,
    patches,
    report,
    web,
    what_if,
)
from service.api.application import Service
from service.cors import BadOrigin, Cors
from service.door import Door
from service.keys import BadKeys, Keys
from service.memory import give_back_large_blocks
from service.metrics import Metrics
from service.network.files import read_folders
from service.network.sessions import Library
from service.settings import BadSetting, Settings


def create_app(
    settings: Settings | None = None, library: Library | None = None, metrics: Metrics | None = None
) -> Service:
    """
    Make the WSGI application.

    settings: read from the environment unless given; library: loaded from `settings.models` unless given
    metrics: what /metrics shows; of this process alone unless given
    raises: BadSetting or BadModel, with one line that names the culprit
    """
    settings = settings or Settings.from_environ(os.environ)
    library = library or open_library(settings)
    warm_up(library)
    # No folder of static files: every byte that is served has a route of its own.
    app = Service("service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    errors.register(app)
    app.register_blueprint(classify.blueprint(library, settings))
    app.register_blueprint(feature_maps.blueprint(library, settings))
    app.register_blueprint(explain.blueprint(library, settings))
    app.register_blueprint(what_if.blueprint(library, settings))
    app.register_blueprint(patches.blueprint(settings))
    app.register_blueprint(filters.blueprint(library, settings))
    app.register_blueprint(models.blueprint(library))
    app.register_blueprint(report.blueprint(library, settings))
    app.register_blueprint(inference.blueprint(library, settings))
    app.register_blueprint(operations.blueprint(library, settings, metrics or Metrics([], 0)))
    app.register_blueprint(web.blueprint())
    return app


def open_library(settings: Settings) -> Library:
    """Open the models that the master has read, or, without one, those that are in their folder now."""
    files = snapshot.kept()
    if files is None:
        files = read_folders(Path(settings.models))
    return Library.open(files, settings.default_model)


def create_door(settings: Settings | None = None) -> Door:
    """Make the door that gunicorn's worker opens (service/server.py)."""
    give_back_large_blocks()
    settings = settings or Settings.from_environ(os.environ)
    library = open_library(settings)
    metrics = Metrics([(network.name, network.version, network.sha256) for network in library.networks], 0)
    app = create_app(settings, library, metrics)
    # What start-up made stays until the end: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    return Door(app, settings, metrics, _read_keys(settings), _read_origins(settings))


def _read_keys(settings: Settings) -> Keys | None:
    try:
        return Keys.open(settings.keys_file) if settings.keys_file else None
    except BadKeys as error:
        raise BadSetting(f"FILTERSCOPE_KEYS_FILE: {error}") from None


def _read_origins(settings: Settings) -> Cors:
    try:
        return Cors.parse(settings.cors_origins)
    except BadOrigin as error:
        raise BadSetting(f"FILTERSCOPE_CORS_ORIGINS: {error}") from None


def warm_up(library: Library) -> None:
    """Run every network once, so that the first caller does not wait for what onnxruntime sets up on first use."""
    blank = np.zeros((1, 1, 28, 28), np.float32)
    for network in library.networks:
        network.classify(blank)
        network.analyse(blank, list(network.passport.map_shapes()))
        assert network.weights
