"""
Builds the parts and joins them: the one file that knows them all.

gunicorn starts `service.app:create_door()` in every worker, after the fork; a test drives `create_app(settings)` with
Flask's own client.
"""

import os
from pathlib import Path

import numpy as np
from flask import Flask

from service.api import classify, errors, feature_maps, filters, models, operations
from service.door import Door
from service.network.sessions import Library
from service.settings import Settings


def create_app(settings: Settings | None = None, library: Library | None = None) -> Flask:
    """
    Make the WSGI application.

    settings: read from the environment unless given; library: loaded from `settings.models` unless given
    raises: BadSetting or BadModel, with one line that names the culprit
    """
    settings = settings or Settings.from_environ(os.environ)
    library = library or Library.open(Path(settings.models), settings.default_model)
    warm_up(library)
    # No folder of static files: every byte that is served has a route of its own.
    app = Flask("service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    errors.register(app)
    app.register_blueprint(classify.blueprint(library, settings))
    app.register_blueprint(feature_maps.blueprint(library, settings))
    app.register_blueprint(filters.blueprint(library, settings))
    app.register_blueprint(models.blueprint(library))
    app.register_blueprint(operations.blueprint(library, settings))
    return app


def create_door(settings: Settings | None = None) -> Door:
    """Make the ASGI application that gunicorn runs."""
    settings = settings or Settings.from_environ(os.environ)
    return Door(create_app(settings), settings)


def warm_up(library: Library) -> None:
    """Run every network once, so that the first caller does not wait for what onnxruntime sets up on first use."""
    blank = np.zeros((1, 1, 28, 28), np.float32)
    for network in library.networks:
        network.classify(blank)
        network.analyse(blank, list(network.passport.map_shapes()))
        assert network.weights
