//! What people say about an audit: the decision that they sign, and notes on single pictures.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `review.json` of a run folder; typed by hand, never by the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Review {
    /// Empty before somebody has decided.
    pub decision: String,
    /// The folder of the earlier audit that this one was held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<PathBuf>,
    /// What tells the two models apart, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// On pictures that the two models see differently, in the order of their rows.
    pub notes: Vec<PictureNote>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureNote {
    /// Row among the pictures of the audit.
    pub row: usize,
    /// What the picture is and what both models say: `Shirt, Coat before, Shirt now`.
    pub picture: String,
    pub text: String,
}

impl Review {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn note(&self, row: usize) -> Option<&PictureNote> {
        self.notes.iter().find(|note| note.row == row)
    }

    /// Writes a note, or takes away the one that is there when the text is empty.
    pub fn set_note(&mut self, note: PictureNote) {
        self.notes.retain(|known| known.row != note.row);
        if !note.text.trim().is_empty() {
            self.notes.push(note);
            self.notes.sort_by_key(|note| note.row);
        }
    }
}

/// Rows whose answers are not the same in both; answers to different numbers of pictures cannot be compared.
pub fn changed_rows(before: &[u16], now: &[u16]) -> Option<Vec<usize>> {
    let comparable = !now.is_empty() && before.len() == now.len();
    comparable.then(|| (0..now.len()).filter(|&row| before[row] != now[row]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_written_changed_and_taken_away() {
        let note = |row, text: &str| PictureNote { row, picture: "Shirt".into(), text: text.into() };
        let mut review = Review::default();
        review.set_note(note(9, "blurred"));
        review.set_note(note(2, "a coat"));
        review.set_note(note(9, "too dark"));
        assert_eq!(review.notes.iter().map(|note| note.row).collect::<Vec<_>>(), [2, 9]);
        assert_eq!(review.note(9).map(|note| note.text.as_str()), Some("too dark"));
        review.set_note(note(9, " "));
        assert_eq!(review.note(9), None);
        review.set_note(note(2, ""));
        assert!(review.is_empty());
    }

    #[test]
    fn only_answers_to_the_same_pictures_are_compared() {
        assert_eq!(changed_rows(&[1, 2, 3], &[1, 0, 3]), Some(vec![1]));
        assert_eq!(changed_rows(&[1, 2], &[1, 2, 3]), None);
        assert_eq!(changed_rows(&[], &[]), None);
    }
}
