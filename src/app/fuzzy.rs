//! Finding by a few letters: every word of the query must occur, whole, as a beginning, or letter by letter in order.

/// How well `text` fits the query; `None` where it does not. Higher is better; an empty query fits everything equally.
pub fn score(query: &str, text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    query.to_lowercase().split_whitespace().map(|word| word_score(word, &text)).sum()
}

/// Beginnings of words count most, then parts of words, then scattered letters.
fn word_score(word: &str, text: &str) -> Option<u32> {
    if let Some(at) = text.find(word) {
        let begins = text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        let first = u32::from(at == 0);
        return Some(if begins { 100 + 20 * first } else { 60 });
    }
    let mut gaps = 0_u32;
    let mut rest = text.chars();
    let mut inside = false;
    for letter in word.chars() {
        let mut skipped = 0;
        loop {
            match rest.next() {
                Some(found) if found == letter => break,
                Some(_) => skipped += 1,
                None => return None,
            }
        }
        gaps += if inside { skipped } else { 0 };
        inside = true;
    }
    Some(40_u32.saturating_sub(gaps).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that fit, the best first.
    fn order<'t>(query: &str, texts: &[&'t str]) -> Vec<&'t str> {
        let mut found: Vec<_> = texts.iter().filter_map(|text| Some((score(query, text)?, *text))).collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn beginnings_win_over_parts_and_parts_over_letters() {
        let texts = ["Stop and keep", "Restart", "Projector mode", "Start", "Home"];
        assert_eq!(order("start", &texts), ["Start", "Restart"]);
        assert_eq!(order("pm", &texts), ["Projector mode"]);
        assert_eq!(order("st", &texts)[0], "Stop and keep");
    }

    #[test]
    fn every_word_must_occur_in_any_order() {
        let texts = ["Blended noise 10 %", "Corner patch, repaired by a polarizer"];
        assert_eq!(order("polar corner", &texts), [texts[1]]);
        assert_eq!(order("noise corner", &texts), [""; 0]);
        assert_eq!(order("  ", &texts).len(), 2);
        assert_eq!(score("ÜBER", "über alles"), Some(120));
    }
}
