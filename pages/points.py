"""Points: walk a register's points over imagery, and move those that are off target. Nothing is lost: all is undone."""

from __future__ import annotations

import streamlit as st

from minedisc_core.exports.corrections import corrections_csv
from minedisc_core.learning.walk import WalkPoint, first_undecided, walk, window_picture
from minedisc_core.registers.points import PointFile
from pages import analysts, boundary, frame, mosaics, point_decisions, point_map, point_register, shared, words
from pages.chosen import Chosen
from pages.shared import SessionKeys
from pages.texts import Labels, t

MOSAIC_KEY = "points_mosaic"
DECISIONS = Labels({"moved": "moved", "not_a_mine": "not a mine", "skipped": "skipped"})


def main() -> None:
    """The page."""
    side, map_side = st.columns([42, 58], gap="medium")
    with side:
        frame.heading(t("Points"), t("Look at each point of a register over imagery, and move those off target."))
        register, mosaic = st.columns(2)
        with register:
            source = point_register.choose()
        with mosaic:
            chosen = mosaics.choose(MOSAIC_KEY)
        boundary.explain_kept()
    if source is None or chosen is None:
        with map_side:
            frame.empty(t("Choose a register of points and a mosaic on the left."))
        return
    read = shared.register_points(source)
    points, off = walk(read, shared.store().corrections(read.register_id), chosen.mosaic.grid)
    if not points:
        with map_side:
            frame.empty(t("No point of {name} lies on this mosaic.", name=boundary.plain(read.source)))
        return
    at = position(read, points)
    with side:
        progress(points, at, off)
        point_decisions.buttons(source, points, at)
        facts(points[at], chosen)
        point_decisions.place(source, points[at].point.line)
        export(read)
    with map_side:
        point_map.draw(source, points, at, chosen)


def position(read: PointFile, points: list[WalkPoint]) -> int:
    """Number of the point that is looked at; at first the first that nobody decided about."""
    kept = st.session_state.get(SessionKeys.POINT)
    if not kept or kept[0] != read.register_id:
        lines = [each.point.line for each in points]
        st.session_state[SessionKeys.POINT] = kept = (read.register_id, lines[first_undecided(points) or 0])
    return next((index for index, each in enumerate(points) if each.point.line == kept[1]), 0)


def progress(points: list[WalkPoint], at: int, off: int) -> None:
    """Where one is, how much is done, how many points this mosaic does not hold."""
    done = sum(each.correction is not None for each in points)
    count = words.number(len(points))
    st.progress(done / len(points), t("Point {at} of {count}, {done} decided", at=at + 1, count=count, done=done))
    if off:
        st.caption(t("Off this mosaic: {points} of the register.", points=words.count(off, "point")))


def facts(shown: WalkPoint, chosen: Chosen) -> None:
    """The point in words, and the window around it."""
    point, decided = shown.point, shown.correction
    lon, lat = shown.lonlat
    text, picture = st.columns([1, 1], vertical_alignment="center")
    text.markdown(f"**{boundary.plain(point.name or t('Line {line}', line=point.line))}**")
    text.markdown(t("In the register: {place}", place=words.place(point.lon, point.lat)))
    if decided is None:
        text.caption(t("Nobody has decided about it yet."))
    else:
        moved = t("Moved to: {place}", place=words.place(lon, lat)) if decided.new_lon is not None else ""
        what = DECISIONS[decided.action]
        text.markdown(moved or f"**{what}**")
        text.caption(f"{what} · {boundary.plain(decided.analyst)} · {words.moment(decided.given_at_utc)}")
    drawn = window_picture(chosen.mosaic, lon, lat)
    if drawn:
        said = t("2 km around it; the square is the 210 m patch")
        picture.image(drawn, caption=said, alt=said)
    else:
        picture.caption(t("No picture can be made of these bands (B2, B3 and B4 are needed); the outline is shown."))


def export(read: PointFile) -> None:
    """Name, undo of everything by CSV: where points were, where they are, who said so and when."""
    name, load = st.columns(2, vertical_alignment="bottom")
    analysts.name_field(name)
    load.download_button(
        t("Corrections as CSV"),
        data=lambda: corrections_csv(shared.store().corrections(read.register_id)),
        file_name=f"{read.source}.corrections.csv",
        mime="text/csv",
        icon=":material/download:",
        use_container_width=True,
        key="points_export",
    )


main()
