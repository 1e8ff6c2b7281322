//! Python's pickle format, read as data: nothing is looked up, nothing is called.
//!
//! A pickle is a small program for a stack machine that may call any Python function. This reader runs the stack
//! but never a call: a short list of harmless containers (`OrderedDict`, `set`, `_codecs.encode`, ...) becomes plain
//! values, every other call is kept as [`Value::Opaque`] with its name and arguments, and a file that names
//! functions which can only mean harm (`os.system`) is refused.
//!
//! Work and memory are bounded by the length of the input, so a hostile file ends in a [`Problem`], not in a
//! full memory.

mod calls;
mod freeze;
pub mod layout;
mod machine;
pub mod numpy;
mod value;
pub mod write;

pub use value::{Global, Opaque, Value, shortened};

use crate::experiment::{Problem, Result};

/// Deepest nesting of containers. Real networks stay below 100.
const MAX_DEPTH: usize = 200;

/// One pickle and what was learned on the way.
#[derive(Debug)]
pub struct Parsed {
    pub value: Value,
    /// Length of the pickle in bytes; other pickles or raw data may follow.
    pub consumed: usize,
    /// Every persistent id in the order of its appearance: PyTorch's references to tensor storages.
    pub persistent: Vec<Value>,
}

/// Reads the pickle at the start of `bytes`; gives its value and its length.
///
/// # Errors
/// Truncated or damaged input, instructions that would run a program, and input that grows beyond all proportion.
pub fn parse(bytes: &[u8]) -> Result<(Value, usize)> {
    parse_with_ids(bytes).map(|parsed| (parsed.value, parsed.consumed))
}

/// Like [`parse`], and also lists the persistent ids.
pub fn parse_with_ids(bytes: &[u8]) -> Result<Parsed> {
    machine::Machine::new(bytes).run()
}

fn damaged(offset: usize, why: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This Python pickle is cut off or damaged.")
        .because(format!("At byte {offset} of the pickle: {why}."))
        .remedy("Copy or download the file again.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Code;

    fn value(bytes: &[u8]) -> Value {
        let (value, consumed) = parse(bytes).unwrap();
        assert_eq!(consumed, bytes.len());
        value
    }

    #[test]
    fn binfloat_is_big_endian() {
        let mut bytes = b"\x80\x02G".to_vec();
        bytes.extend(1.5f64.to_be_bytes());
        bytes.push(b'.');
        assert_eq!(value(&bytes).float(), Some(1.5));
    }

    #[test]
    fn long1_has_a_sign_and_grows_beyond_64_bits() {
        assert_eq!(value(b"\x80\x02\x8a\x01\xff.").int(), Some(-1));
        assert_eq!(value(b"\x80\x02\x8a\x02\x00\x80.").int(), Some(-32768));
        assert_eq!(value(b"\x80\x02\x8a\x02\xff\x00.").int(), Some(255));
        assert_eq!(value(b"\x80\x02\x8a\x00.").int(), Some(0));
        assert_eq!(value(b"\x80\x02\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.").int(), Some(i64::MIN));
        // A ninth byte that only repeats the sign still fits.
        assert_eq!(value(b"\x80\x02\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\x00.").int(), Some(i64::MAX));
        let Value::BigInt(digits) = value(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.") else {
            panic!("PyTorch's magic number has 80 bits")
        };
        assert_eq!(&digits[..], b"l\xfc\x9cF\xf9 j\xa8P\x19");
    }

    #[test]
    fn integers_of_every_width() {
        let list = value(b"\x80\x02](K\xffM\xff\xffJ\xfe\xff\xff\xff\x8b\x01\x00\x00\x00\x80e.");
        let numbers: Vec<_> = list.items().unwrap().iter().map(|v| v.int().unwrap()).collect();
        assert_eq!(numbers, [255, 65535, -2, -128]);
    }

    #[test]
    fn python_2_strings_are_text_and_bytes() {
        let dict = value(b"\x80\x02}(U\x06labels]K\x03aU\x04dataT\x02\x00\x00\x00\xff\x01u.");
        assert_eq!(dict.get("labels").unwrap().items().unwrap()[0].int(), Some(3));
        assert_eq!(dict.get("data").unwrap().bytes(), Some(&[255, 1][..]));
        assert_eq!(dict.get("data").unwrap().text(), None);
    }

    #[test]
    fn bytes_hidden_in_latin1_text_come_back() {
        let bytes = b"\x80\x02c_codecs\nencode\nX\x03\x00\x00\x00a\xc3\xbfX\x06\x00\x00\x00latin1\x86R.";
        assert_eq!(value(bytes).bytes(), Some(&[b'a', 0xff][..]));
    }

    #[test]
    fn protocol_4_memo_frames_and_sets() {
        let bytes =
            b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00\x8f\x94(K\x01K\x02\x90\x8c\x08builtins\x94\x8c\x04list\x94\x93\x94)R\x94\x86.";
        let both = value(bytes);
        let [set, list] = both.items().unwrap() else { panic!("two values") };
        assert!(matches!(set, Value::Set(items) if items.len() == 2));
        assert!(matches!(list, Value::List(items) if items.is_empty()));
    }

    #[test]
    fn a_later_entry_wins_as_in_python() {
        assert_eq!(value(b"\x80\x02}(U\x01aK\x01U\x01aK\x02u.").get("a").unwrap().int(), Some(2));
    }

    #[test]
    fn unknown_classes_are_kept_as_data() {
        let Value::Opaque(object) = value(b"\x80\x02cmodels.net\nNet\n)\x81}U\x05depthK\x12sb.") else {
            panic!("an object")
        };
        assert_eq!(object.class_name(), "models.net.Net");
        assert_eq!(object.state.as_ref().unwrap().get("depth").unwrap().int(), Some(18));
    }

    #[test]
    fn programs_are_refused() {
        for source in [
            &b"\x80\x02cos\nsystem\nU\x02ls\x85R."[..],
            b"\x80\x02cposix\nsystem\nU\x02ls\x85R.",
            b"\x80\x02c__builtin__\neval\nU\x02ls\x85R.",
            b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93.",
        ] {
            let problem = parse(source).unwrap_err();
            assert_eq!(problem.code, Code::BadFile);
            assert!(problem.headline.contains("run a program"), "{problem}");
        }
    }

    #[test]
    fn a_list_that_holds_itself_ends() {
        let list = value(b"\x80\x02]q\x00h\x00a.");
        assert!(matches!(&list.items().unwrap()[0], Value::Opaque(_)));
    }

    #[test]
    fn sharing_is_not_copying() {
        // Twenty times "a pair of what was before": a million leaves if it were copied.
        let mut bytes = b"\x80\x02]".to_vec();
        for _ in 0..20 {
            bytes.extend(b"2\x86");
        }
        bytes.push(b'.');
        let mut inner = value(&bytes);
        for _ in 0..20 {
            inner = inner.items().unwrap()[1].clone();
        }
        assert!(inner.items().unwrap().is_empty());
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut bytes = b"\x80\x02]".to_vec();
        bytes.extend(std::iter::repeat_n(0x85, 100_000));
        bytes.push(b'.');
        assert!(parse(&bytes).unwrap_err().detail[0].contains("nested"));
    }

    #[test]
    fn nesting_by_reference_counts_as_nesting() {
        // Chains of 150 tuples, each hung below the one before, all of them in one flat list.
        let mut bytes = b"\x80\x02](]q\x00".to_vec();
        for _ in 0..1000 {
            bytes.extend(b"h\x00");
            bytes.extend(std::iter::repeat_n(0x85, 150));
            bytes.extend(b"q\x00");
        }
        bytes.extend(b"e.");
        assert!(parse(&bytes).unwrap_err().detail[0].contains("nested"));
    }

    #[test]
    fn repeated_conversion_of_one_text_is_refused() {
        // A text of 1 MB, encoded over and over from the memo.
        let mut bytes = b"\x80\x02c_codecs\nencode\nq\x00X\x00\x00\x10\x00".to_vec();
        bytes.extend(std::iter::repeat_n(b'a', 1 << 20));
        bytes.extend(b"q\x01X\x06\x00\x00\x00latin1\x86q\x02");
        for _ in 0..100_000 {
            bytes.extend(b"h\x00h\x02R0");
        }
        bytes.extend(b"N.");
        assert!(parse(&bytes).unwrap_err().headline.contains("out of proportion"));
    }

    #[test]
    fn declared_lengths_are_checked_before_anything_is_allocated() {
        for source in [
            &b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc"[..],
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc",
            b"\x80\x02X\xff\xff\xff\xffabc",
            b"\x80\x02T\xff\xff\xff\xffabc",
            b"\x80\x02\x8b\xff\xff\xff\xff",
        ] {
            assert_eq!(parse(source).unwrap_err().code, Code::BadFile);
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let whole = b"\x80\x02}q\x00(U\x06labelsq\x01](K\x01M\x02\x01e\x8a\x01\xffG\x00\x00\x00\x00\x00\x00\x00\x00u.";
        value(whole);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
    }
}
