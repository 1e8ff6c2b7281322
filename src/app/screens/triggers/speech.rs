//! What the bench says in words: computed from the same figures that stand beside it.

use crate::app::picture::{Crop, Quality, SPOT, Survival};
use crate::app::words;

/// What this shows, what it does not, and what to do next.
pub fn verdict(quality: &Quality) -> String {
    if quality.changed == 0 {
        return "At this strength the trigger changes nothing in this picture.".to_owned();
    }
    let spot = quality.share() < SPOT;
    // A spot is judged by its contrast, a veil over everything by its noise.
    let (plain, second_look) = match spot {
        true => (quality.l_inf >= 64, quality.l_inf >= 16),
        false => (quality.psnr < 25.0, quality.psnr < 32.0),
    };
    let seen = match (plain, second_look, spot) {
        (true, _, true) => "plain to see for whoever looks there",
        (true, _, false) => "plain to see",
        (false, true, _) => "visible on a second look",
        (false, false, _) => "hardly visible",
    };
    let levels = if quality.l_inf == 1 { "level" } else { "levels" };
    format!(
        "The trigger changes {} of {} pixels by up to {} {levels} of 255: {seen}. Whether a network learns it, only \
         training tells: start that in the Lab.",
        words::count(quality.changed as u64),
        words::count(quality.pixels as u64),
        quality.l_inf,
    )
}

/// What the training's random crops and mirroring do to the trigger.
pub fn survival(survival: &Survival, flip: bool) -> String {
    let mirrored = if flip { " Every second picture is mirrored." } else { "" };
    if survival.total() == 0 {
        return "There is nothing that could survive.".to_owned();
    }
    if survival.border() == 0 {
        return match flip {
            true => "This training does not crop; every second picture is mirrored, with the trigger on it.".to_owned(),
            false => "This training neither crops nor mirrors: the whole trigger is always there.".to_owned(),
        };
    }
    let (whole, mean) = survival.shares();
    let (border, mean) = (survival.border(), words::percent(mean));
    // What lies over the whole picture always loses an edge; only of a spot it matters whether all of it is left.
    if survival.is_spot() {
        let whole = words::percent(whole);
        format!(
            "Random crops of {border} px leave the whole trigger in {whole} of the pictures, and {mean} of its pixels on \
             average.{mirrored}"
        )
    } else {
        format!("Random crops of {border} px leave {mean} of the trigger's pixels on average.{mirrored}")
    }
}

/// What one crop leaves.
pub fn one_crop(survival: &Survival, crop: Crop) -> String {
    let part = |shift: i32, forth: &str, back: &str| match shift {
        0 => String::new(),
        _ => format!("{} px {}", shift.abs(), if shift > 0 { forth } else { back }),
    };
    // The window moves right, so the picture moves left.
    let moves = [part(crop.shift[0], "left", "right"), part(crop.shift[1], "up", "down")];
    let mut said: Vec<_> = moves.into_iter().filter(|part| !part.is_empty()).collect();
    if said.is_empty() {
        said.push("not moved".to_owned());
    }
    if crop.flip {
        said.push("mirrored".to_owned());
    }
    let (left, total) = (survival.left(crop), survival.total());
    let share = words::percent(left as f64 / total.max(1) as f64);
    let (left, total) = (words::count(left as u64), words::count(total as u64));
    format!("This one: {}; {left} of {total} trigger pixels ({share}) are left.", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::Rgba;

    fn quality(changed: usize, l_inf: u8, psnr: f64) -> Quality {
        Quality { l_inf, l2: 1.0, psnr, ssim: 0.9, changed, pixels: 1024 }
    }

    #[test]
    fn spots_and_veils_are_judged_by_what_the_eye_sees() {
        let patch = verdict(&quality(9, 255, 25.0));
        assert!(
            patch.starts_with("The trigger changes 9 of 1,024 pixels by up to 255 levels of 255: plain to see for")
        );
        assert!(verdict(&quality(1024, 40, 19.4)).contains("255: plain to see. Whether"));
        assert!(verdict(&quality(1024, 10, 31.3)).contains("second look"));
        assert!(verdict(&quality(1000, 1, 48.0)).contains("1 level of 255: hardly visible"));
        assert!(verdict(&quality(0, 0, f64::INFINITY)).contains("changes nothing"));
    }

    #[test]
    fn crops_are_told_as_the_eye_sees_them() {
        let picture = |inked: bool| {
            let level = |i: usize| if inked && i % 32 >= 29 && i / 32 >= 29 { 255 } else { 0 };
            Rgba { width: 32, height: 32, bytes: (0..1024).flat_map(|i| [level(i); 4]).collect() }
        };
        let cropped = Survival::of(&picture(false), &picture(true), 4);
        let said = survival(&cropped, true);
        assert!(said.contains("4 px leave the whole trigger in 30.9 % of the pictures, and 44.4 %"), "{said}");
        let said = one_crop(&cropped, Crop { shift: [-1, 2], flip: true });
        assert_eq!(said, "This one: 1 px right, 2 px up, mirrored; 6 of 9 trigger pixels (66.7 %) are left.");
        let veil = Rgba { bytes: vec![9; 4096], ..picture(false) };
        assert!(
            survival(&Survival::of(&picture(false), &veil, 4), false).contains("leave 86.6 % of the trigger's pixels")
        );
        let still = Survival::of(&picture(false), &picture(true), 0);
        assert!(survival(&still, false).contains("neither crops nor mirrors"));
        assert!(one_crop(&still, Crop::default()).contains("not moved; 9 of 9"));
    }
}
