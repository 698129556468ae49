//! Making a sequence that fails shorter while it fails.

use crate::failure::Outcome;

/// Trials at most.
const TRIALS_MAX: u32 = 600;

/// A short part of `steps`, in their order, for which `fails` still says true; it must for `steps`.
/// Tries to leave out ever smaller runs.
///
/// # Errors
/// Those of `fails`.
pub fn shrink<T: Clone>(
    mut steps: Vec<T>,
    mut fails: impl FnMut(&[T]) -> Outcome<bool>,
) -> Outcome<Vec<T>> {
    let (mut run, mut trials) = (steps.len() / 2, 0);
    while run > 0 {
        let (mut at, before) = (0, steps.len());
        while at < steps.len() && trials < TRIALS_MAX {
            let end = (at + run).min(steps.len());
            let shorter: Vec<T> = steps[..at].iter().chain(&steps[end..]).cloned().collect();
            trials += 1;
            if fails(&shorter)? {
                steps = shorter;
            } else {
                at = end;
            }
        }
        if run > 1 || steps.len() == before {
            run /= 2;
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_kept() {
        let fails = |steps: &[u32]| Ok(steps.contains(&7) && steps.contains(&93));
        assert_eq!(shrink((0..100).collect(), fails).ok().unwrap(), [7, 93]);
    }
}
