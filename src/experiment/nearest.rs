//! "Did you mean ...?": the known name that is nearest to what was written.

/// The known name nearest to `word`, if one is near enough to be a likely slip.
///
/// Case, `-` and `_` do not count; a swap of two neighbours counts as one slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(word);
    if wanted.is_empty() {
        return None;
    }
    known
        .into_iter()
        .filter_map(|name| {
            let candidate = plain(name);
            let slips = distance(&wanted, &candidate);
            // A third of the letters may be wrong; a shortened or lengthened name is taken after real near misses.
            if slips <= wanted.len().max(candidate.len()).div_ceil(3) {
                Some((slips, name))
            } else if wanted.len() >= 3 && (candidate.starts_with(&wanted) || wanted.starts_with(&candidate)) {
                Some((wanted.len() + slips, name))
            } else {
                None
            }
        })
        .min_by_key(|&(cost, _)| cost)
        .map(|(_, name)| name)
}

/// Names in back-quotes, for the end of a sentence: "`a`, `b` and `c`".
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let changed = last[j] + usize::from(from != to);
            let mut cost = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["badnets", "blended", "poison_ratio", "wide-resnet"];

    #[test]
    fn slips_are_recognised() {
        assert_eq!(nearest("badnet", KNOWN), Some("badnets"));
        assert_eq!(nearest("BadNets", KNOWN), Some("badnets"));
        assert_eq!(nearest("badents", KNOWN), Some("badnets"));
        assert_eq!(nearest("poison_rate", KNOWN), Some("poison_ratio"));
        assert_eq!(nearest("wideresnet", KNOWN), Some("wide-resnet"));
        assert_eq!(nearest("wide", KNOWN), Some("wide-resnet"));
    }

    #[test]
    fn strangers_are_not_guessed() {
        assert_eq!(nearest("epochs", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn the_distance_counts_swaps_once() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars("ab"), &chars("ba")), 1);
        assert_eq!(distance(&[], &chars("abc")), 3);
    }

    #[test]
    fn lists_read_like_a_sentence() {
        assert_eq!(list([]), "");
        assert_eq!(list(["a"]), "`a`");
        assert_eq!(list(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
