"""
The desks: who serves each capability other than chat, built once (upstreams 2).
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.access.register import Register
from app.domain.configuration import Configuration
from app.protocol.targets import NATIVE
from app.proxy.attempts import Attempts
from app.proxy.billing import Billing
from app.proxy.body_relay import BodyRelay
from app.proxy.call import Call
from app.proxy.capabilities import CapabilityDesk
from app.proxy.chooser import Chooser
from app.proxy.dialing import Dialing
from app.proxy.downloads import DownloadDesk
from app.proxy.embeddings import EmbeddingDesk
from app.proxy.families import FamilyDesk
from app.proxy.json_asking import JsonAsking
from app.proxy.model_access import ModelAccess
from app.proxy.model_rights import ModelRights
from app.proxy.model_routes import ModelRoutes
from app.proxy.native import NativeDesk
from app.proxy.native_relay import NativeRelay
from app.proxy.native_sockets import NativeSockets
from app.proxy.pipeline import Desk
from app.proxy.recogniser import Recogniser
from app.proxy.resources import ResourceDesk
from app.proxy.sound_billing import SoundBilling
from app.proxy.sound_steps import SoundSteps
from app.proxy.speech import SpeechDesk
from app.proxy.transcriptions import TranscriptionDesk
from app.proxy.upload_attempts import UploadAttempts
from app.proxy.uploads import UploadDesk
from app.routing.finder import RouteFinder
from app.telemetry.logs import Log
from app.telemetry.metrics import Metrics
from app.upstreams.socket_dialer import SocketDialer
from app.upstreams.upstream import Upstream
from app.usage.price_book import PriceBook

_RESOURCES = (
    *("chat.stored", "fine_tuning", "fine_tuning.more", "fine_tune_categories", "datasets"),
    "external_models",
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the desks have in common, and chat with them. *trust*: of upstreams' certificates;
    *on_model*: the lists of models are out of date."""

    configuration: Configuration
    upstreams: Mapping[str, Upstream]
    finder: RouteFinder
    rights: ModelRights
    register: Register
    attempts: Attempts
    billing: Billing
    prices: PriceBook
    metrics: Metrics
    log: Log
    trust: ssl.SSLContext
    now: Callable[[], float]
    on_model: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Files:
    """`files`: uploads stream, all else is JSON."""

    uploads: UploadDesk
    others: ResourceDesk

    async def serve(self, call: Call) -> None:
        """See `Desk.serve`."""
        desk = self.uploads if call.client.method == "POST" else self.others
        await desk.serve(call)


def desks(shared: Shared) -> Mapping[str, Desk]:
    """Each capability's desk."""
    table, billing, now = shared.finder.table, shared.billing, shared.now
    chooser = Chooser(shared.upstreams, table, shared.register)
    asking = JsonAsking(shared.attempts, now)
    resources = ResourceDesk(
        shared.upstreams,
        table,
        asking,
        shared.register,
        rights=shared.rights,
        billing=billing,
        on_model=shared.on_model,
    )
    return {
        **dict.fromkeys(_RESOURCES, resources),
        "files": _Files(_uploads(shared, chooser), resources),
        "files.content": DownloadDesk(
            chooser, shared.attempts, BodyRelay(now), billing=billing, now=now
        ),
        "capabilities": CapabilityDesk(shared.upstreams, table, billing),
        **_by_model(shared, chooser, asking),
        **_sound_and_native(shared),
    }


def _uploads(shared: Shared, chooser: Chooser) -> UploadDesk:
    return UploadDesk(
        chooser,
        shared.register,
        shared.billing,
        UploadAttempts(shared.attempts, shared.now),
        shared.log,
        max_upload_bytes=shared.configuration.server.max_upload_bytes,
        now=shared.now,
    )


def _by_model(shared: Shared, chooser: Chooser, asking: JsonAsking) -> Mapping[str, Desk]:
    """What is routed by the name of a model, beside chat."""
    routes = ModelRoutes(shared.upstreams, _access(shared), shared.rights, shared.billing)
    return {
        "embeddings": EmbeddingDesk(routes, asking),
        "families": FamilyDesk(
            chooser,
            routes,
            UploadAttempts(shared.attempts, shared.now),
            BodyRelay(shared.now),
            billing=shared.billing,
            max_upload_bytes=shared.configuration.server.max_upload_bytes,
            now=shared.now,
        ),
    }


def _access(shared: Shared) -> ModelAccess:
    return ModelAccess(shared.upstreams, shared.finder, shared.rights)


def _sound_and_native(shared: Shared) -> Mapping[str, Desk]:
    """What needs prices of sound, and websockets."""
    configuration, billing, now = shared.configuration, shared.billing, shared.now
    most_bytes = configuration.server.max_upload_bytes
    sound = SoundBilling(billing, shared.prices, configuration.limits)
    dialing = Dialing(SocketDialer(shared.trust), billing, shared.metrics, now)
    relay = BodyRelay(now)
    steps = SoundSteps(
        shared.upstreams,
        _access(shared),
        shared.attempts,
        sound,
        relay,
        configuration.streams.heartbeat_seconds,
        now,
    )
    return {
        "audio.speech": SpeechDesk(steps),
        "audio.transcriptions": TranscriptionDesk(
            steps, dialing, Recogniser(now), most_bytes=most_bytes
        ),
        NATIVE: NativeDesk(
            shared.upstreams,
            NativeRelay(shared.attempts, relay, now, max_upload_bytes=most_bytes),
            NativeSockets(dialing, billing, sound, now),
            rights=shared.rights,
            register=shared.register,
            billing=billing,
            sound=sound,
        ),
    }
