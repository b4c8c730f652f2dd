"""The hot path: one observation, posted alone, written together with those of other clients."""

from collections.abc import Mapping

from mainzdigital.exchange.sensorthings import write_single
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.serve.app_services import Services


async def post(services: Services, reader: Reader, body: Mapping[str, object], datastream: int | None) -> int | None:
    """Write one plain observation; its id after the commit, or None where the long way has to decide.

    `datastream` is the one whose Observations it is posted to. Raises Forbidden, InvalidInput, Unavailable.
    """
    found = write_single.plain(body, datastream)
    if found is None:
        return None

    async def look(wanted: int, classes: frozenset[AccessClass]) -> write_single.Ready | None:
        return await services.write(lambda connection: write_single.look(connection, wanted, classes))

    checked, target = found
    try:
        observation = await write_single.observation(
            services.known, look, reader=reader, checked=checked, datastream=target
        )
        return None if observation is None else await services.queue.submit(observation)
    except InvalidInput as refusal:
        if refusal.where in {"Datastream", "FeatureOfInterest"}:
            # Gone since we looked: the long way looks again, and says what is wrong in its own words.
            services.known.forget()
            return None
        raise
