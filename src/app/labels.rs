//! Where the names of points stand: beside them, out of each other's way, in the window and in exported figures.

use egui::{Align2, Pos2, Rect, Vec2, vec2};

/// How far a name may be from its point, nearest first.
const RINGS: [f32; 7] = [9.0, 20.0, 34.0, 50.0, 70.0, 94.0, 124.0];
/// Beyond this a line leads from the point to its name.
const NEAR: f32 = 16.0;
/// Half of what a mark takes.
const MARK: f32 = 5.0;

/// One rectangle per point, for a name of the given size, as near as there is room in `area`; nothing where there is none.
/// `marks` are points that no name may cover.
pub fn places(names: &[(Pos2, Vec2)], marks: &[Pos2], area: Rect) -> Vec<Option<Rect>> {
    let marks: Vec<Rect> = marks.iter().map(|at| Rect::from_center_size(*at, Vec2::splat(2.0 * MARK))).collect();
    let mut taken: Vec<Rect> = Vec::new();
    let place = |&(at, size): &(Pos2, Vec2)| {
        let free =
            |rect: &Rect| area.contains_rect(*rect) && !taken.iter().chain(&marks).any(|other| other.intersects(*rect));
        let found = RINGS.into_iter().flat_map(|ring| around(at, size, ring)).find(free);
        taken.extend(found.map(|rect| rect.expand(1.0)));
        found
    };
    names.iter().map(place).collect()
}

/// The places at one distance: to the right first, as people read.
fn around(at: Pos2, size: Vec2, ring: f32) -> [Rect; 8] {
    let slant = ring * 0.71;
    [
        (vec2(ring, 0.0), Align2::LEFT_CENTER),
        (vec2(slant, -slant), Align2::LEFT_BOTTOM),
        (vec2(slant, slant), Align2::LEFT_TOP),
        (vec2(-ring, 0.0), Align2::RIGHT_CENTER),
        (vec2(0.0, -ring), Align2::CENTER_BOTTOM),
        (vec2(0.0, ring), Align2::CENTER_TOP),
        (vec2(-slant, -slant), Align2::RIGHT_BOTTOM),
        (vec2(-slant, slant), Align2::RIGHT_TOP),
    ]
    .map(|(by, align)| align.anchor_size(at + by, size))
}

/// Where a line from the point ends at its name; nothing where the name stands right beside it.
pub fn leader(at: Pos2, name: Rect) -> Option<Pos2> {
    let end = at.clamp(name.min, name.max);
    (end.distance(at) > NEAR).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn names_of_points_on_one_spot_all_find_room() {
        let area = Rect::from_min_size(Pos2::ZERO, vec2(300.0, 200.0));
        let at = pos2(20.0, 20.0);
        let names = vec![(at, vec2(80.0, 14.0)); 6];
        let places: Vec<Rect> = places(&names, &[at], area).into_iter().flatten().collect();
        assert_eq!(places.len(), 6);
        for (index, place) in places.iter().enumerate() {
            assert!(area.contains_rect(*place) && !place.contains(at));
            assert!(places[..index].iter().all(|other| !other.intersects(*place)), "{places:?}");
        }
        assert_eq!(leader(at, places[0]), None, "the first stands right beside the point");
        assert!(leader(at, places[5]).is_some());
    }

    #[test]
    fn a_name_without_room_is_left_out() {
        let area = Rect::from_min_size(Pos2::ZERO, vec2(50.0, 50.0));
        assert_eq!(places(&[(pos2(25.0, 25.0), vec2(80.0, 14.0))], &[], area), [None]);
    }
}
