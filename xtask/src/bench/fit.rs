//! The rate of growth: the slope of a straight line through logarithms. 1: in proportion; 0: not at all; 2: with the square.

/// The slope of the least squares through (size, measure); NaN with fewer than two sizes.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let with: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let own: f64 = logs.iter().map(|point| (point.0 - x).powi(2)).sum();
    with / own
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_power_is_found() {
        for power in [0.0, 0.5, 1.0, 2.0] {
            let points: Vec<(f64, f64)> =
                [10.0, 100.0, 1_000.0].map(|x: f64| (x, 7.0 * x.powf(power))).to_vec();
            assert!((slope(&points) - power).abs() < 1e-9);
        }
        assert!(slope(&[(1.0, 1.0)]).is_nan());
    }
}
