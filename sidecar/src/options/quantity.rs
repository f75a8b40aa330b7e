//! Sizes as Kubernetes writes quantities.

/// Bytes of a quantity such as `4Mi`, `1k` or `512`; none when it is not one or no whole number of bytes.
pub(super) fn bytes(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-' && c != '+').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: f64 = match unit {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        _ => return None,
    };
    let value = number.parse::<f64>().ok()? * factor;
    let whole = value.is_finite() && value.fract() == 0.0 && value.abs() < 9e15;
    #[allow(clippy::cast_possible_truncation)] // Checked above: a whole number below 2^53.
    whole.then_some(value as i64)
}
