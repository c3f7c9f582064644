"""Which source answers a request for a composite; its client is loaded only when it is asked for."""

from __future__ import annotations

from pathlib import Path

from minedisc_core.errors import UsageError
from minedisc_core.imagery.composites.request import CompositeRequest
from minedisc_core.imagery.composites.source import CompositeSource


def open_source(request: CompositeRequest, service_account: Path | None = None) -> CompositeSource:
    """The source of a request; nothing is asked of a server yet.

    Args:
        request: what is asked for.
        service_account: Earth Engine: key file of a service account, read at each start and never kept.

    Raises:
        UsageError: the request does not fit its source.
    """
    if request.source == "ee":
        from minedisc_core.imagery.earth_engine.source import EarthEngineSource

        return EarthEngineSource(request, service_account_file=service_account)
    from minedisc_core.imagery.stac.source import StacSource

    return StacSource(request)


def check_request(request: CompositeRequest) -> None:
    """Check what can be checked without a network.

    Raises:
        UsageError: dates, level, recipe, bands or names do not fit the source.
    """
    if request.end <= request.start:
        raise UsageError(
            f"dates {request.start} to {request.end}", "an end after the start (the day after the last one)"
        )
    if not 0 < request.most_cloud_percent <= 100:
        raise UsageError(f"a cloud limit of {request.most_cloud_percent:g} %", "a number above 0, up to 100")
    if request.source == "ee":
        from minedisc_core.imagery.earth_engine.products import check_request as check_earth_engine

        check_earth_engine(request)
    else:
        from minedisc_core.imagery.stac.catalogues import catalogue_of

        catalogue_of(request)
