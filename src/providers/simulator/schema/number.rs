//! Finds a number that a schema allows.

use serde_json::Value;

/// 1, or a number near the bounds that keeps within them.
pub(super) fn within(schema: &super::Schema, integer: bool) -> Option<String> {
    let bound = |word| schema.get(word).and_then(Value::as_f64);
    let (low, above) = (bound("minimum"), bound("exclusiveMinimum"));
    let (high, below) = (bound("maximum"), bound("exclusiveMaximum"));
    let step = bound("multipleOf")
        .filter(|step| *step > 0.0)
        .or(integer.then_some(1.0));
    let fits = |x: &f64| {
        x.is_finite()
            && low.is_none_or(|low| *x >= low)
            && above.is_none_or(|above| *x > above)
            && high.is_none_or(|high| *x <= high)
            && below.is_none_or(|below| *x < below)
            && (!integer || x.fract() == 0.0)
    };
    let floor = low.into_iter().chain(above).reduce(f64::max);
    let ceiling = high.into_iter().chain(below).reduce(f64::min);
    let middle = floor
        .zip(ceiling)
        .map(|(floor, ceiling)| floor + (ceiling - floor) / 2.0);
    let near = [Some(1.0), floor, ceiling, middle].into_iter().flatten();
    let mut likely = near.flat_map(|x| match step {
        Some(step) => {
            let steps = (x / step).floor();
            [steps * step, (steps + 1.0) * step, (steps - 1.0) * step]
        }
        None => [x, x + 1.0, x - 1.0],
    });
    likely.find(fits).map(written)
}

fn written(x: f64) -> String {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // every integer up to 2^53 is a double
    if x.fract() == 0.0 && x.abs() <= EXACT_MAX {
        (x as i64).to_string()
    } else {
        Value::from(x).to_string()
    }
}
