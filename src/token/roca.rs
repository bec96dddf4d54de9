//! ROCA: RSA keys of a defective generator (CVE-2017-15361), told by their modulus alone.
//!
//! Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, §3.3: modulo each of these primes such a modulus is a power of 65537. One that is not defective
//! passes for one with a chance of less than 2^-27.

/// The primes after 2 whose product divides the generator's primorial.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// True if a modulus, big-endian, is of a defective generator.
pub(super) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    let step = |rest: u32, byte: &u8| {
        rest.wrapping_mul(256)
            .wrapping_add(u32::from(*byte))
            .checked_rem(prime)
            .unwrap_or(0)
    };
    number.iter().fold(0, step)
}

/// True if a power of 65537 has that remainder.
fn is_power(remainder: u32, prime: u32) -> bool {
    let base = 65_537_u32.checked_rem(prime).unwrap_or(0);
    let mut power = 1_u32;
    for _ in 0..prime {
        if power == remainder {
            return true;
        }
        power = power.wrapping_mul(base).checked_rem(prime).unwrap_or(0);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders_are_those_of_division() {
        let number = 0x0123_4567_89ab_cdef_u64;
        for prime in PRIMES {
            assert_eq!(
                u64::from(remainder(&number.to_be_bytes(), prime)),
                number % u64::from(prime)
            );
        }
    }

    #[test]
    fn a_power_of_65537_is_told_from_others() {
        // 65537^7, which is one modulo every prime.
        let power = 65_537_u128.pow(7);
        assert!(is_weak(&power.to_be_bytes()));
        assert!(!is_weak(&(power + 2).to_be_bytes()));
    }
}
