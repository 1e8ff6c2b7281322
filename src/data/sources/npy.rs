//! NumPy arrays (`.npy`): the header and a stream of values. Written for files that nobody vouches for.

use crate::experiment::{Problem, Result};
use std::io::Read;

/// Headers of arrays are a line of text; longer ones are refused.
const LONGEST_HEADER: usize = 64 << 10;

/// How one element is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// Signed or unsigned integers and booleans.
    Integer {
        signed: bool,
    },
    Float,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub element: Element,
    /// Bytes an element: 1, 2, 4 or 8.
    pub width: usize,
    big_endian: bool,
    pub shape: Vec<usize>,
    /// Elements in all.
    pub count: usize,
}

impl Header {
    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.count.saturating_mul(self.width)
    }

    fn value(&self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        for (slot, &byte) in wide.iter_mut().zip(bytes) {
            *slot = byte;
        }
        if self.big_endian {
            wide[..self.width].reverse();
        }
        let raw = u64::from_le_bytes(wide);
        match (self.element, self.width) {
            (Element::Float, 4) => f64::from(f32::from_bits(raw as u32)),
            (Element::Float, _) => f64::from_bits(raw),
            (Element::Integer { signed: false }, _) => raw as f64,
            (Element::Integer { signed: true }, width) => {
                let unused = 64 - 8 * width as u32;
                (((raw << unused) as i64) >> unused) as f64
            }
        }
    }
}

/// `The array ... ends after 3 of 10 values.` and the like.
fn damaged(reason: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This NumPy array is cut off or damaged.").because(reason).remedy("Save the file again.")
}

/// Reads up to the first value.
pub(super) fn read_header(reader: &mut impl Read) -> Result<Header> {
    let mut start = [0; 10];
    reader.read_exact(&mut start).map_err(damaged)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(damaged("It does not start with the word NUMPY."));
    }
    let short = u16::from_le_bytes([start[8], start[9]]);
    let length = match start[6] {
        1 => usize::from(short),
        2 | 3 => {
            let mut high = [0; 2];
            reader.read_exact(&mut high).map_err(damaged)?;
            usize::from(short) + (usize::from(u16::from_le_bytes(high)) << 16)
        }
        version => return Err(damaged(format!("Its version is {version}; known are 1, 2 and 3."))),
    };
    if length > LONGEST_HEADER {
        return Err(damaged(format!("Its header has {length} bytes.")));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(damaged)?;
    parse_header(&String::from_utf8_lossy(&text))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }`
fn parse_header(text: &str) -> Result<Header> {
    let after = |key: &str| {
        let found = text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
        found.ok_or_else(|| damaged(format!("Its header has no `{key}`.")))
    };
    let descr = after("descr")?;
    let Some(descr) = descr.strip_prefix('\'').and_then(|rest| rest.split('\'').next()) else {
        return Err(unsuitable("records of several fields"));
    };
    let mut chars = descr.chars();
    let (order, kind) = (chars.next().unwrap_or(' '), chars.next().unwrap_or(' '));
    let width: usize = chars.as_str().parse().unwrap_or(0);
    let element = match (kind, width) {
        ('u' | 'b', 1) | ('u', 2 | 4 | 8) => Element::Integer { signed: false },
        ('i', 1 | 2 | 4 | 8) => Element::Integer { signed: true },
        ('f', 4 | 8) => Element::Float,
        ('O', _) => return Err(unsuitable("Python objects, which are never loaded")),
        _ => return Err(unsuitable(&format!("elements of type `{descr}`"))),
    };
    if !after("fortran_order")?.starts_with("False") {
        return Err(unsuitable("columns before rows (Fortran order)"));
    }
    let shape = after("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inner, _)| inner);
    let dims = shape.unwrap_or("?").split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let shape = dims
        .map(|dim| dim.parse().ok().ok_or_else(|| damaged(format!("Its header has the dimension `{dim}`."))))
        .collect::<Result<Vec<usize>>>()?;
    let count = shape
        .iter()
        .try_fold(1usize, |count, &dim| count.checked_mul(dim))
        .ok_or_else(|| damaged(format!("Its shape {shape:?} is impossible.")))?;
    Ok(Header { element, width, big_endian: order == '>', shape, count })
}

fn unsuitable(what: &str) -> Problem {
    Problem::bad_input(format!("This NumPy array holds {what}."))
        .remedy("Save plain numbers: `np.savez(file, x_train=np.ascontiguousarray(x, dtype=np.uint8), ...)`.")
}

/// Hands all values to `take`, in order.
pub(super) fn for_each_value(header: &Header, reader: impl Read, mut take: impl FnMut(f64)) -> Result<()> {
    let mut reader = std::io::BufReader::with_capacity(64 << 10, reader);
    let mut element = [0; 8];
    for index in 0..header.count {
        reader
            .read_exact(&mut element[..header.width])
            .map_err(|e| damaged(format!("It ends after {index} of {} values: {e}", header.count)))?;
        take(header.value(&element[..header.width]));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A `.npy` file of version 1.
    pub fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn values(bytes: &[u8]) -> Result<Vec<f64>> {
        let mut reader = bytes;
        let header = read_header(&mut reader)?;
        let mut values = Vec::new();
        for_each_value(&header, reader, |value| values.push(value))?;
        Ok(values)
    }

    #[test]
    fn numbers_of_all_kinds_are_read() {
        assert_eq!(values(&npy("|u1", "(2,)", &[1, 255])).unwrap(), [1.0, 255.0]);
        assert_eq!(values(&npy("<i2", "(2,)", &[0xff, 0xff, 2, 0])).unwrap(), [-1.0, 2.0]);
        assert_eq!(values(&npy(">i4", "(1, 1)", &[0, 0, 1, 0])).unwrap(), [256.0]);
        assert_eq!(values(&npy("<f4", "()", &0.5f32.to_le_bytes())).unwrap(), [0.5]);
        assert_eq!(values(&npy(">f8", "(1,)", &0.25f64.to_be_bytes())).unwrap(), [0.25]);
        assert_eq!(values(&npy("<i8", "(1,)", &(-3i64).to_le_bytes())).unwrap(), [-3.0]);
        assert_eq!(values(&npy("|b1", "(1,)", &[1])).unwrap(), [1.0]);
    }

    #[test]
    fn the_long_header_of_version_2_is_read() {
        let mut bytes = npy("|u1", "(1,)", &[9]);
        bytes[6] = 2;
        bytes.splice(10..10, [0, 0]);
        assert_eq!(values(&bytes).unwrap(), [9.0]);
        bytes[11] = 0xff;
        assert!(values(&bytes).unwrap_err().detail[0].contains("header has"));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let headline = |descr: &str, shape: &str| values(&npy(descr, shape, &[])).unwrap_err().to_string();
        assert!(headline("|O", "(1,)").contains("Python objects"));
        assert!(headline("<c8", "(1,)").contains("`<c8`"));
        assert!(headline("|u1", "(99999999999, 99999999999)").contains("impossible"));
        assert!(headline("|u1", "(-1,)").contains("dimension `-1`"));
        assert!(headline("|u1", "(3,)").contains("after 0 of 3"));
        assert!(headline("|u1", "3").contains("dimension `?`"));
    }
}
