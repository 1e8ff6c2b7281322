//! Strided layouts: from where a tensor's elements lie in a storage to one element after the other.

use crate::experiment::{Problem, Result};

/// Most dimensions of a tensor; numpy's own limit.
pub const MAX_DIMENSIONS: usize = 64;

/// Bytes of a tensor; `None` when that is no number of this machine. Sizes that libtorch would overflow on
/// although one of them is zero are refused too.
pub fn byte_len(shape: &[usize], width: usize) -> Option<usize> {
    let product = |smallest: usize| {
        let len = shape.iter().try_fold(width, |len, &size| len.checked_mul(size.max(smallest)))?;
        isize::try_from(len).is_ok().then_some(len)
    };
    product(1)?;
    product(0)
}

/// Elements of `width` bytes, row by row, picked from `storage` by offset and strides (both in elements).
///
/// The caller has checked that the result is not too large (see [`byte_len`]).
///
/// # Errors
/// When an element lies outside of the storage.
pub fn gather(storage: &[u8], width: usize, offset: usize, shape: &[usize], strides: &[usize]) -> Result<Vec<u8>> {
    let outside = || {
        Problem::bad_file("A tensor points outside of its data.").because(format!(
            "Shape {shape:?} with strides {strides:?} from element {offset} does not fit into {} elements.",
            storage.len() / width.max(1)
        ))
    };
    let total = byte_len(shape, width).ok_or_else(outside)?;
    if strides.len() != shape.len() {
        return Err(outside());
    }
    if total == 0 {
        return Ok(Vec::new());
    }
    let reach = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |reach, (&size, &stride)| reach.checked_add((size - 1).checked_mul(stride)?));
    let end = reach.and_then(|last| last.checked_add(1)?.checked_mul(width)).ok_or_else(outside)?;
    if end > storage.len() {
        return Err(outside());
    }

    // The trailing axes that already lie one after the other are copied as one piece.
    let mut piece = 1;
    let mut outer = shape.len();
    while outer > 0 && (strides[outer - 1] == piece || shape[outer - 1] == 1) {
        piece *= shape[outer - 1];
        outer -= 1;
    }
    let mut bytes = Vec::with_capacity(total);
    let mut index = vec![0; outer];
    let mut at = offset;
    loop {
        bytes.extend_from_slice(&storage[at * width..(at + piece) * width]);
        // Count up, the last axis first.
        let mut axis = outer;
        loop {
            if axis == 0 {
                return Ok(bytes);
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < shape[axis] {
                at += strides[axis];
                break;
            }
            at -= strides[axis] * (shape[axis] - 1);
            index[axis] = 0;
        }
    }
}

/// The value of a 16-bit float (IEEE half precision).
pub fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORAGE: [u8; 24] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];

    #[test]
    fn contiguous_transposed_window_and_expanded() {
        assert_eq!(gather(&STORAGE, 1, 0, &[4, 6], &[6, 1]).unwrap(), STORAGE);
        assert_eq!(gather(&STORAGE, 1, 0, &[2, 3], &[1, 2]).unwrap(), [0, 2, 4, 1, 3, 5]);
        assert_eq!(gather(&STORAGE, 1, 8, &[2, 2], &[6, 1]).unwrap(), [8, 9, 14, 15]);
        assert_eq!(gather(&STORAGE, 2, 1, &[3], &[0]).unwrap(), [2, 3, 2, 3, 2, 3]);
        assert_eq!(gather(&STORAGE, 4, 5, &[], &[]).unwrap(), [20, 21, 22, 23]);
        assert_eq!(gather(&STORAGE, 1, 23, &[1, 1], &[99, 7]).unwrap(), [23]);
        assert!(gather(&STORAGE, 4, 99, &[0, 5], &[5, 1]).unwrap().is_empty());
    }

    #[test]
    fn the_last_element_decides() {
        assert!(gather(&STORAGE, 4, 0, &[6], &[1]).is_ok());
        assert!(gather(&STORAGE, 4, 1, &[6], &[1]).is_err());
        assert!(gather(&STORAGE, 4, 0, &[2], &[6]).is_err());
        assert!(gather(&STORAGE, 1, usize::MAX, &[1], &[1]).is_err());
        assert!(gather(&STORAGE, 1, 0, &[2], &[usize::MAX]).is_err());
        assert!(gather(&STORAGE, 1, 0, &[2, 2], &[1]).is_err());
    }

    #[test]
    fn sizes_that_overflow_have_no_length() {
        assert_eq!(byte_len(&[2, 3], 4), Some(24));
        assert_eq!(byte_len(&[0, 3], 4), Some(0));
        assert_eq!(byte_len(&[usize::MAX, 2], 1), None);
        assert_eq!(byte_len(&[0, usize::MAX, 2], 1), None);
    }

    #[test]
    fn half_precision() {
        for (bits, value) in [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333251953125), (0x0001, 2f64.powi(-24))] {
            assert_eq!(half(bits), value);
        }
        assert_eq!(half(0x7c00), f64::INFINITY);
        assert!(half(0x7e00).is_nan());
    }
}
