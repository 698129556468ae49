//! The self test that PFSELFTEST runs: registers keep what they are given, both forms agree, and
//! estimates are as near as theory says.

use super::{REGISTERS, Sighting, add, become_dense, dense, empty, estimate};
use base::random::Random;

/// How often all registers are written.
const ROUNDS: u64 = 100;
/// The most elements that are added.
const ELEMENTS_MAX: u64 = 100_000;
/// Elements up to which the sparse form is kept beside the dense one.
const SPARSE_ELEMENTS_MAX: u64 = 2000;
/// The bytes a sparse one may take here: more than it will.
const SPARSE_BYTES_MAX: usize = 64 << 10;
/// The standard error of an estimate is this, divided by the square root of the registers.
const ERROR_FACTOR: f64 = 1.04;

/// Tests the implementation on `random` elements.
///
/// # Errors
/// What was found wrong, as text.
pub fn self_test(random: &mut Random) -> Result<(), String> {
    registers_keep_what_they_are_given(random)?;
    estimates_are_near(random)
}

fn registers_keep_what_they_are_given(random: &mut Random) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let mut registers = vec![0; dense::BYTES];
        let wanted: Vec<u8> = (0..REGISTERS).map(|_| random.below(64).to_le_bytes()[0]).collect();
        for (register, &run) in wanted.iter().enumerate() {
            dense::raise(&mut registers, Sighting { register, run });
        }
        for (register, &run) in wanted.iter().enumerate() {
            let held = dense::get(&registers, register);
            if held != run {
                return Err(format!(
                    "TESTFAILED Register {register} should be {run} but is {held}"
                ));
            }
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "numbers far below 2^52")]
fn estimates_are_near(random: &mut Random) -> Result<(), String> {
    let broken = |error| format!("TESTFAILED {error}");
    let (seed, standard_error) = (random.next_u64(), ERROR_FACTOR / (REGISTERS as f64).sqrt());
    let (mut sparse, mut large, mut checkpoint) = (empty(), empty(), 1);
    become_dense(&mut large).map_err(broken)?;
    for number in 1..=ELEMENTS_MAX {
        let seen = Sighting::of(&(number ^ seed).to_le_bytes());
        add(&mut large, seen, 0).map_err(broken)?;
        if number <= SPARSE_ELEMENTS_MAX {
            add(&mut sparse, seen, SPARSE_BYTES_MAX).map_err(broken)?;
        }
        if number != checkpoint {
            continue;
        }
        let estimated = estimate(&large).map_err(broken)?;
        if number <= SPARSE_ELEMENTS_MAX && estimate(&sparse).map_err(broken)? != estimated {
            return Err("TESTFAILED dense/sparse disagree".to_owned());
        }
        let error = (estimated as f64 - number as f64).abs();
        // Six standard errors, and one element where that is less.
        if error > (standard_error * 6.0 * number as f64).ceil().max(1.0) {
            return Err(format!("TESTFAILED Too big error. card:{number} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes() {
        for seed in 0..4 {
            assert_eq!(self_test(&mut Random::from_seed(seed)), Ok(()));
        }
    }
}
