//! Cases take turns: what disturbs the machine for a while disturbs all of them.

use anyhow::Result;

use super::table::Spread;

/// Runs case after case, that `rounds` times over, and gives what each case gave. The first round of all warms caches and is
/// thrown away where `warm` says so.
pub(crate) fn alternate<C, T>(
    cases: &[C],
    rounds: usize,
    warm: bool,
    mut once: impl FnMut(&C) -> Result<T>,
) -> Result<Vec<Vec<T>>> {
    let mut results: Vec<Vec<T>> = cases.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in usize::from(!warm)..=rounds {
        for (case, results) in cases.iter().zip(&mut results) {
            let result = once(case)?;
            if round > 0 {
                results.push(result);
            }
        }
    }
    Ok(results)
}

/// The ratio of one case's value to another's: the middle of what it is in each round. A machine gives twice as much in one second
/// as in the next, and two cases of a round are milliseconds or seconds apart.
pub(crate) fn ratio(own: impl IntoIterator<Item = f64>, other: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(own.into_iter().zip(other).map(|(own, other)| own / other)).median
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_take_turns() {
        let mut order = Vec::new();
        let results = alternate(&['a', 'b'], 2, true, |case| {
            order.push(*case);
            Ok(order.len())
        });
        assert_eq!(order, ['a', 'b', 'a', 'b', 'a', 'b']);
        assert_eq!(results.unwrap(), [[3, 5], [4, 6]]);
        assert_eq!(ratio([11.0, 24.0, 25.0], [10.0, 10.0, 25.0]), 1.1, "the medians are 24 and 10");
        let results = alternate(&['a'], 2, false, |_| Ok(())).unwrap();
        assert_eq!(results[0].len(), 2);
    }
}
