"""Sites of a resumed run keep their numbers: verdicts, chips and exports name places by them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from minedisc_core.detection.sites import SiteGroups, site_id
from minedisc_core.domain import Site
from minedisc_core.runs import SITES_BEFORE, read_sites, write_sites
from minedisc_core.store.rows import polygons_of
from minedisc_core.store.same_place import same_places


def keep_numbers(run_dir: Path, file: str) -> None:
    """Keep what the sites of an attempt were called, before the next attempt replaces them.

    Args:
        run_dir: the run's folder.
        file: with the attempt's sites; nothing is done if it is missing.

    Raises:
        RunError: the sites cannot be read or written.
    """
    if (run_dir / file).exists():
        last = read_sites(run_dir, file)
        named = {site.site_id for site in last}
        older = [site for site in numbered_before(run_dir) if site.site_id not in named]
        write_sites(run_dir, [*last, *older], SITES_BEFORE)


def numbered_before(run_dir: Path) -> list[Site]:
    """The sites of earlier attempts of a run as they were last found; an empty list at the first attempt.

    Raises:
        RunError: they cannot be read.
    """
    return read_sites(run_dir, SITES_BEFORE) if (run_dir / SITES_BEFORE).exists() else []


def numbered(run_id: str, groups: SiteGroups, before: Sequence[Site]) -> SiteGroups:
    """The same groups: a site in the place of an earlier one has its number, all others get numbers never used.

    Args:
        run_id: prefix of the site ids.
        groups: as `group_sites` numbered them.
        before: sites that had numbers in earlier attempts of this run.
    """
    if not before:
        return groups
    same = dict(same_places(polygons_of(groups.sites), polygons_of(before)))
    unused = count(1 + max(int(site.site_id.rpartition("-")[2]) for site in before))
    ids = [before[same[k]].site_id if k in same else site_id(run_id, next(unused)) for k in range(len(groups.sites))]
    sites = [dataclasses.replace(site, site_id=own) for site, own in zip(groups.sites, ids, strict=True)]
    return SiteGroups(sites, groups.cells)
