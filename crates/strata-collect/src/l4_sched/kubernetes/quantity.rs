//! Quantities of Kubernetes: `500m`, `64Gi`, `1e3`.

/// The number a quantity stands for, in the resource's own unit (cores, bytes, pieces).
pub(super) fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')));
    let (number, suffix) = text.split_at_checked(digits.unwrap_or(text.len()))?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        // A decimal exponent: 12e6, 1E3.
        _ if suffix.starts_with(['e', 'E']) => {
            return text.parse().ok().filter(|n: &f64| n.is_finite());
        }
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// The spelling of a resource in labels and its unit, as kube-state-metrics has them:
/// `nvidia.com/gpu` is `nvidia_com_gpu` in `integer`.
pub(super) fn spelled(resource: &str) -> (String, &'static str) {
    let unit = match resource {
        "cpu" => "core",
        "memory" | "ephemeral-storage" | "storage" => "byte",
        other if other.starts_with("hugepages-") => "byte",
        _ => "integer",
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    (resource.chars().map(plain).collect(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_is_read_and_nonsense_is_not() {
        let check = |text: &str, expected: Option<f64>| assert_eq!(parse(text), expected, "{text}");
        check("8", Some(8.0));
        check("500m", Some(0.5));
        check("64Gi", Some(68_719_476_736.0));
        check("1.5k", Some(1500.0));
        check("2E", Some(2e18));
        check("12e6", Some(12e6));
        check("1E3", Some(1000.0));
        check("", None);
        check("Gi", None);
        check("5x", None);
        check("1e999", None);
        assert_eq!(
            spelled("nvidia.com/mig-1g.10gb"),
            ("nvidia_com_mig_1g_10gb".to_owned(), "integer")
        );
        assert_eq!(spelled("cpu"), ("cpu".to_owned(), "core"));
    }
}
