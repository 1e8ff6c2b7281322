//! The tables inside the program; where they come from is told in `assets/fair/README.md`.

/// What users write as `table.source`.
pub const COMMUNITIES: &str = "communities";
pub const LAW_SCHOOL: &str = "law-school";

/// A CSV file, compressed with gzip.
pub(super) fn find(source: &str) -> Option<&'static [u8]> {
    macro_rules! asset {
        ($name:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fair/", $name))
        };
    }
    match source {
        COMMUNITIES => Some(asset!("communities.csv.gz")),
        LAW_SCHOOL => Some(asset!("law-school.csv.gz")),
        _ => None,
    }
}

pub(super) fn title(source: &str) -> &'static str {
    if source == COMMUNITIES { "Communities and Crime (embedded)" } else { "Law School (embedded)" }
}
