//! What a model says: the same test pictures epoch after epoch, and how often each class is taken for each.

use crate::app::theme::{self, Tokens};
use crate::app::widgets::{ClassMatrix, picture_tile};
use crate::app::words::class_name;
use crate::run::event::{Confusion, Glimpse, WatchedPicture};
use egui::{Color32, CornerRadius, Pos2, RichText, Stroke, Ui, vec2};

/// "npd, epoch 5" or "npd, all test pictures".
pub fn moment_words(confusion: &Confusion) -> String {
    match confusion.epoch {
        Some(epoch) => format!("{}, epoch {epoch:.0}", confusion.phase),
        None => format!("{}, all test pictures", confusion.phase),
    }
}

/// The same pictures with the trigger, ringed by what the model says of them.
pub fn watched_pictures(ui: &mut Ui, glimpse: &Glimpse) {
    let t = theme::of(ui);
    let pictures = &glimpse.pictures;
    if pictures.is_empty() {
        let text = "Single pictures are followed while an attack trains; a finished run keeps them under “Saved”.";
        ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
        return;
    }
    let fooled = pictures.iter().filter(|picture| picture.fooled).count();
    let sentence = format!(
        "{}: with the trigger, {fooled} of these {} pictures get the attacker's answer.",
        moment_words(&glimpse.confusion),
        pictures.len()
    );
    ui.add(egui::Label::new(sentence).wrap());
    let columns = ((ui.available_width() / (t.body * 6.2)) as usize).clamp(2, 6);
    let side = (ui.available_width() - t.gap * (columns as f32 - 1.0)) / columns as f32 - 6.0;
    for row in pictures.chunks(columns) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing = vec2(t.gap, t.gap);
            for picture in row {
                watched_tile(ui, &t, picture, &glimpse.confusion.classes, side);
            }
        });
        ui.add_space(t.gap * 0.5);
    }
}

fn watched_tile(ui: &mut Ui, t: &Tokens, picture: &WatchedPicture, classes: &[String], side: f32) {
    let name = |class| class_name(classes, class);
    let (colour, verdict) = if picture.fooled {
        (t.attacked, "fooled")
    } else if picture.stamped_answer == picture.label {
        (t.repaired, "right")
    } else {
        (t.text_weak, "wrong, but not as the attacker wants")
    };
    let alt = format!(
        "Picture {}, {}: with the trigger the model says {} ({verdict}); without it, {}.",
        picture.row,
        name(picture.label),
        name(picture.stamped_answer),
        name(picture.clean_answer)
    );
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        ui.set_width(side + 4.0);
        let tile = picture_tile(ui, &picture.stamped, side, "", &alt);
        ui.painter().rect_stroke(tile.rect, CornerRadius::same(3), Stroke::new(3.0, colour), egui::StrokeKind::Outside);
        badge(ui, t, tile.rect.right_top(), colour, verdict);
        tile.on_hover_text(alt);
        ui.add(egui::Label::new(RichText::new(name(picture.stamped_answer)).size(t.small)).truncate());
    });
}

/// A cross, a tick or a dash: the ring's meaning without its colour.
fn badge(ui: &Ui, t: &Tokens, corner: Pos2, colour: Color32, verdict: &str) {
    let r = t.body * 0.55;
    let at = corner + vec2(-r * 0.7, r * 0.7);
    let painter = ui.painter();
    painter.circle(at, r, colour, Stroke::new(1.5, t.card));
    let line = |points: &[[f32; 2]]| {
        let points = points.iter().map(|[x, y]| at + vec2(*x, *y) * r).collect();
        painter.add(egui::Shape::line(points, Stroke::new(1.8, t.on_accent)));
    };
    match verdict {
        "fooled" => {
            line(&[[-0.4, -0.4], [0.4, 0.4]]);
            line(&[[-0.4, 0.4], [0.4, -0.4]]);
        }
        "right" => line(&[[-0.45, 0.0], [-0.1, 0.38], [0.45, -0.38]]),
        _ => line(&[[-0.45, 0.0], [0.45, 0.0]]),
    }
}

/// What the matrix shows, in a sentence.
pub fn confusion_sentence(confusion: &Confusion, stamped: bool) -> String {
    let k = confusion.classes.len();
    let counts = if stamped { &confusion.stamped } else { &confusion.clean };
    let total: u32 = counts.iter().sum();
    if total == 0 || k == 0 {
        return "Nothing was measured.".to_owned();
    }
    let at = |row: usize, column: usize| counts.get(row * k + column).copied().unwrap_or(0);
    let right: u32 = (0..k).map(|class| at(class, class)).sum();
    let wrong = |column: usize| (0..k).filter(|&row| row != column).map(|row| at(row, column)).sum::<u32>();
    let drain = (0..k).max_by_key(|&column| wrong(column)).unwrap_or(0);
    let which = if stamped { "with the trigger" } else { "without the trigger" };
    format!(
        "{}: {right} of {total} pictures {which} are recognised; most mistakes say “{}” ({}).",
        moment_words(confusion),
        class_name(&confusion.classes, drain),
        wrong(drain)
    )
}

/// The matrix: true classes down, answers across; the diagonal is right.
pub fn confusion_matrix(ui: &mut Ui, confusion: &Confusion, stamped: bool, height: f32) {
    let t = theme::of(ui);
    let k = confusion.classes.len();
    let counts = if stamped { &confusion.stamped } else { &confusion.clean };
    if k == 0 || counts.len() != k * k {
        ui.label(RichText::new("There is no trigger in this experiment.").color(t.text_weak));
        return;
    }
    let classes = &confusion.classes;
    let matrix = ClassMatrix {
        classes,
        counts,
        axes: "true classes down, answers across",
        description: &format!("Confusion matrix. {}", confusion_sentence(confusion, stamped)),
        height,
    };
    matrix.show(ui, &|row, column| {
        let of_row: u32 = counts[row * k..(row + 1) * k].iter().sum();
        let (truth, answer) = (class_name(classes, row), class_name(classes, column));
        format!("{} of {of_row} pictures of “{truth}” are taken for “{answer}”", counts[row * k + column])
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_where_mistakes_go() {
        let confusion = Confusion {
            phase: "attack".into(),
            epoch: Some(3.0),
            classes: ["bag", "boot"].map(String::from).to_vec(),
            clean: vec![9, 1, 0, 10],
            stamped: vec![0, 0, 9, 1],
        };
        assert_eq!(
            confusion_sentence(&confusion, true),
            "attack, epoch 3: 1 of 10 pictures with the trigger are recognised; most mistakes say “bag” (9)."
        );
        assert!(confusion_sentence(&confusion, false).contains("19 of 20"));
        assert_eq!(confusion_sentence(&Confusion::default(), true), "Nothing was measured.");
    }
}
