//! Whether a point is on its curve: a key that is not must not be loaded (SEC 1 §3.2.2.1). ring finds out only when it verifies.
//!
//! Public values only: this takes no care to hide them, and runs once for each key.

/// A curve y² = x³ − 3x + b over a prime field (NIST SP 800-186 §3.2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Curve {
    P256,
    P384,
}

const P256_P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const P256_B: &str = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b";
const P384_P: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff";
const P384_B: &str = "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef";

impl Curve {
    /// In bytes, of one coordinate.
    pub(super) const fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// True if the coordinates, big-endian, are those of a point.
    pub(super) fn has(self, x: &[u8], y: &[u8]) -> bool {
        let (p, b) = match self {
            Self::P256 => (P256_P, P256_B),
            Self::P384 => (P384_P, P384_B),
        };
        let field = Field(Number::from_hex(p));
        let (x, y, b) = (Number::from_bytes(x), Number::from_bytes(y), Number::from_hex(b));
        if !x.is_less(&field.0) || !y.is_less(&field.0) {
            return false;
        }
        // x³ − 3x + b = x(x² − 3) + b
        let square = field.multiply(&x, &x);
        let factor = field.subtract(&square, &Number::from_word(3));
        let right = field.add(&field.multiply(&x, &factor), &b);
        field.multiply(&y, &y) == right
    }
}

/// 2²⁵⁵ − 19 (RFC 8032 §5.1).
const ED25519_P: &str = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
/// The y of a point of order 8; that of another is its opposite.
const ED25519_EIGHTH: &str = "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826";

/// True if an encoded point of Ed25519 (RFC 8032 §5.1.3) may be a key, or the R of a signature: reduced, and none of the eight of small order.
///
/// By a key of small order signatures are right that nobody made, and ring would take it. Of an R of small order libraries differ: Node 24 refuses what ring and
/// Node 20 take (nodejs/node#64026). No signer comes to one. What is no point at all verifies nothing.
pub(super) fn is_sound_ed25519(encoded: &[u8; 32]) -> bool {
    let mut bytes = *encoded;
    bytes.reverse();
    let [first, ..] = &mut bytes;
    // The sign of x.
    *first &= 0x7f;
    let (y, p) = (Number::from_bytes(&bytes), Number::from_hex(ED25519_P));
    let one = Number::from_word(1);
    let eighth = Number::from_hex(ED25519_EIGHTH);
    // Of order 4, 1, 2 and 8.
    let small = [
        Number::from_word(0),
        one.clone(),
        p.minus(&one),
        p.minus(&eighth),
        eighth,
    ];
    y.is_less(&p) && !small.contains(&y)
}

/// 384 bits, and room for a carry, the lowest first.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Number([u32; 13]);

impl Number {
    const fn from_word(word: u32) -> Self {
        let mut words = [0; 13];
        let [first, ..] = &mut words;
        *first = word;
        Self(words)
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = [0; 13];
        for (word, chunk) in words.iter_mut().zip(bytes.rchunks(4)) {
            *word = chunk
                .iter()
                .fold(0, |word: u32, byte| word.wrapping_shl(8) | u32::from(*byte));
        }
        Self(words)
    }

    fn from_hex(text: &str) -> Self {
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .unwrap_or(0)
        };
        let (pairs, _) = text.as_bytes().as_chunks::<2>();
        let bytes: Vec<u8> = pairs
            .iter()
            .map(|[high, low]| digit(*high).wrapping_shl(4) | digit(*low))
            .collect();
        Self::from_bytes(&bytes)
    }

    fn is_less(&self, other: &Self) -> bool {
        self.0.iter().rev().lt(other.0.iter().rev())
    }

    fn plus(&self, other: &Self) -> Self {
        let mut carry = false;
        let mut sum = [0; 13];
        for (out, (one, two)) in sum.iter_mut().zip(self.0.iter().zip(&other.0)) {
            let (part, first) = one.overflowing_add(*two);
            let (part, second) = part.overflowing_add(u32::from(carry));
            (*out, carry) = (part, first || second);
        }
        Self(sum)
    }

    /// Of a number that is not less.
    fn minus(&self, other: &Self) -> Self {
        let mut borrow = false;
        let mut difference = [0; 13];
        for (out, (one, two)) in difference.iter_mut().zip(self.0.iter().zip(&other.0)) {
            let (part, first) = one.overflowing_sub(*two);
            let (part, second) = part.overflowing_sub(u32::from(borrow));
            (*out, borrow) = (part, first || second);
        }
        Self(difference)
    }

    /// From the highest to the lowest.
    fn bits(&self) -> impl Iterator<Item = bool> {
        let words = self.0.iter().rev();
        words.flat_map(|word| (0..32).rev().map(move |bit| word.wrapping_shr(bit) & 1 == 1))
    }
}

/// Arithmetic modulo a prime, of numbers below it.
struct Field(Number);

impl Field {
    fn add(&self, one: &Number, two: &Number) -> Number {
        let sum = one.plus(two);
        if sum.is_less(&self.0) { sum } else { sum.minus(&self.0) }
    }

    fn subtract(&self, one: &Number, two: &Number) -> Number {
        if one.is_less(two) {
            one.plus(&self.0).minus(two)
        } else {
            one.minus(two)
        }
    }

    /// By doubling and adding.
    fn multiply(&self, one: &Number, two: &Number) -> Number {
        two.bits().fold(Number::from_word(0), |product, bit| {
            let product = self.add(&product, &product);
            if bit { self.add(&product, one) } else { product }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let (pairs, _) = hex.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.iter().map(byte).collect()
    }

    #[test]
    fn points_of_small_order_and_other_spellings_are_not_sound() {
        let key = |hex: &str| is_sound_ed25519(&bytes(hex).try_into().unwrap());
        // The base point, and the first key of RFC 8032 §7.1.
        assert!(key("5866666666666666666666666666666666666666666666666666666666666666"));
        assert!(key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
        for hex in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // p, p + 1, p + 18: 0, 1 and 18.
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            assert!(!key(hex), "{hex}");
            let mut with_sign = bytes(hex);
            *with_sign.last_mut().unwrap() |= 0x80;
            assert!(!is_sound_ed25519(&with_sign.try_into().unwrap()), "{hex}");
        }
    }

    /// The base points of NIST SP 800-186 §3.2.1.3 and §3.2.1.4.
    #[test]
    fn base_points_are_on_their_curves_and_their_neighbours_are_not() {
        for (curve, x, y) in [
            (
                Curve::P256,
                "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
                "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
            ),
            (
                Curve::P384,
                "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
                "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
            ),
        ] {
            let (x, mut y) = (bytes(x), bytes(y));
            assert!(curve.has(&x, &y));
            assert!(!curve.has(&y, &x));
            *y.last_mut().unwrap() ^= 1;
            assert!(!curve.has(&x, &y));
            let zero = vec![0; curve.coordinate()];
            assert!(!curve.has(&zero, &zero));
            // A coordinate is below the prime: one spelling for each point.
            assert!(!curve.has(&vec![0xff; curve.coordinate()], &y));
        }
    }
}
