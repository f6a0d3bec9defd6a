"""
Builds the parts and joins them: the one file that knows them all.

gunicorn's master makes the application, and each worker its door, by `service.app:start_worker()`, after the fork; a
test drives `create_app(settings)` with Flask's own client.
"""

import gc
import logging
import os
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from service.api import operations, web
from service.api.http import errors
from service.api.http.application import Service
from service.api.v1 import classify, explain, feature_maps, filters, models, patches, read, report, what_if
from service.api.v2 import inference
from service.door.door import Door
from service.memory import give_back_large_blocks, give_back_what_is_free
from service.network.files import BadModel, ModelFiles
from service.network.sessions import Library
from service.observe import metrics_folder
from service.observe.metrics import Metrics
from service.settings import PREFIX, BadSetting, Settings
from service.start import snapshot, startup
from service.start.warming import warm

log = logging.getLogger(__name__)

# gunicorn's Arbiter.WORKER_BOOT_ERROR: it ends instead of starting the next worker.
WORKER_BOOT_ERROR = 3
MENDING_SECONDS = 1  # after which a worker is started again that found a file wrong
METRICS = "metrics"


class Warmed(NamedTuple):
    """An application that has made its first calls, and what it was made of."""

    app: Service
    settings: Settings
    library: Library


# What gunicorn's master made for its workers, and of which files.
_warmed: tuple[Warmed, list[ModelFiles] | None] | None = None


def create_app(
    settings: Settings | None = None, library: Library | None = None, metrics: Metrics | None = None
) -> Service:
    """
    Make the WSGI application.

    settings: read from the environment unless given; library: loaded from `settings.models` unless given
    metrics: what /metrics shows; of this process alone unless given
    raises: BadSetting, with one line that names the culprit
    """
    settings = settings or Settings.from_environ(os.environ)
    library = library or open_library(settings)
    warm_up(library)
    # No folder of static files: every byte that is served has a route of its own.
    app = Service("service", static_folder=None)
    app.limits = settings
    # Those of the process that answers, which is not always the one that made the application.
    app.extensions[METRICS] = metrics or Metrics([], 0)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    errors.register(app)
    app.register_blueprint(classify.blueprint(library, settings))
    app.register_blueprint(read.blueprint(library, settings))
    app.register_blueprint(feature_maps.blueprint(library, settings))
    app.register_blueprint(explain.blueprint(library, settings))
    app.register_blueprint(what_if.blueprint(library, settings))
    app.register_blueprint(patches.blueprint(settings))
    app.register_blueprint(filters.blueprint(library, settings))
    app.register_blueprint(models.blueprint(library, settings))
    app.register_blueprint(report.blueprint(library, settings))
    app.register_blueprint(inference.blueprint(library, settings))
    app.register_blueprint(operations.blueprint(library, settings, lambda: app.extensions[METRICS]))
    app.register_blueprint(web.blueprint())
    return app


def open_library(settings: Settings) -> Library:
    """
    Open the models that the master has read, or, without one, those that are in their folder now.

    Each of them that cannot be opened is named in a warning, and the others are served.
    """
    files = snapshot.kept()
    if files is None:
        files = snapshot.read(settings).models
    try:
        library = Library.open(files, settings.default_model)
    except BadModel as error:
        raise BadSetting(f"{PREFIX}MODELS: {error}") from None
    for problem in library.problems:
        log.warning("not served: %s", problem)
    for network in library.networks:
        if network.creditor.damage:
            log.warning("served without its walk back: %s: %s", network.folder, network.creditor.damage)
    return library


def create_door(settings: Settings | None = None) -> Door:
    """Make the door that gunicorn's worker opens (service/server/)."""
    settings = settings or Settings.from_environ(os.environ)
    return _door(_warm(settings, open_library(settings)))


def warm_for_workers() -> None:
    """
    Make the application in gunicorn's master and let it make its first calls, for the workers that it will fork.

    What no one writes to any more is then in memory once for all of them, the networks' sessions included, and a worker
    that takes another's place begins at once. Called again at a reload, after which what was made before is gone.

    raises: BadSetting or BadModel, with one line that names the culprit
    """
    global _warmed  # noqa: PLW0603  # what a master hands its workers through the fork
    settings = Settings.from_environ(os.environ)
    _warmed = _warm(settings, open_library(settings)), snapshot.kept()
    # What was frozen before is looked at again, or it would stay for good.
    gc.unfreeze()
    gc.collect()
    give_back_what_is_free()
    # A page is shared for as long as no collector writes to it.
    gc.freeze()


def start_worker() -> Door:
    """
    Make the door, or end the process with one line and the status that tells gunicorn that no worker can start.

    In the master, at --check-config, any model that is wrong is a reason, for a reload would be refused for it.
    """
    try:
        if snapshot.is_keeper():
            return try_start(snapshot.problems())
        # What was made of other files is of before a reload.
        if _warmed is not None and _warmed[1] is snapshot.kept():
            warmed = _warmed[0]
        else:
            settings = Settings.from_environ(os.environ)
            warmed = _warm(settings, open_library(settings))
    except (BadSetting, BadModel) as error:
        log.critical("%s", str(error))
        sys.exit(1 if snapshot.is_keeper() else WORKER_BOOT_ERROR)
    try:
        return _door(warmed)
    except BadSetting as error:
        # The master has read the keys, so their file was changed since. The other workers go on with those they have.
        log.critical("%s; a worker is missing until this is mended", str(error))
        time.sleep(MENDING_SECONDS)
        sys.exit(1)


def try_start(problems: Sequence[BadModel] = ()) -> Door:
    """
    Do what a worker does to start; raises what would keep it from that, or the first model from being served.

    A model that the master, whose child this is, could not open before either is no reason.
    """
    settings = Settings.from_environ(os.environ)
    library = open_library(settings)
    known = set() if _warmed is None else {str(problem) for problem in _warmed[0].library.problems}
    for problem in (*problems, *library.problems):
        if str(problem) not in known:
            raise problem
    return _door(_warm(settings, library))


def _warm(settings: Settings, library: Library) -> Warmed:
    give_back_large_blocks()
    # Its own calls are counted nowhere.
    with metrics_folder.put_aside():
        app = create_app(settings, library)
        warm(app, library.get())
    return Warmed(app, settings, library)


def _door(warmed: Warmed) -> Door:
    app, settings, library = warmed
    metrics = Metrics([(network.name, network.version, network.sha256) for network in library.networks], 0)
    app.extensions[METRICS] = metrics
    # What start-up made stays until the end: the collector need not look at it each time.
    gc.collect()
    give_back_what_is_free()
    gc.freeze()
    return Door(app, settings, metrics, startup.read_keys(settings), startup.read_origins(settings))


def warm_up(library: Library) -> None:
    """
    Run every network once, so that the first caller does not wait for what onnxruntime sets up on first use.

    Of those that were adopted the maps are left to whoever asks for them: most never are, and they may be large.
    """
    for network in library.networks:
        blank = network.passport.input.blank()
        network.classify(blank)
        if not network.passport.is_adopted:
            network.analyse(blank, list(network.passport.map_shapes()))
            _ = network.weights
