//! Prometheus's own text format, made from OpenMetrics. Both have the same samples; the descriptions
//! of counters have the name of their samples here, units and the end mark do not exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::http::{HeaderMap, header};

/// Media type of OpenMetrics.
const OPENMETRICS: &str = "application/openmetrics-text";

/// Converts metrics.
pub fn from_openmetrics(text: &str) -> String {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let counters: BTreeSet<&str> = types.filter_map(|it| it.strip_suffix(" counter")).collect();
    let mut classic = String::with_capacity(text.len());
    for line in text.lines() {
        // Writing into a String cannot fail.
        let _ = match line.strip_prefix("# ") {
            None => writeln!(classic, "{line}"),
            Some(comment) => write_description(&mut classic, comment, &counters),
        };
    }
    classic
}

fn write_description(
    classic: &mut String,
    comment: &str,
    counters: &BTreeSet<&str>,
) -> std::fmt::Result {
    let mut parts = comment.splitn(3, ' ');
    let (Some(kind @ ("HELP" | "TYPE")), Some(name)) = (parts.next(), parts.next()) else {
        return Ok(());
    };
    let end = if counters.contains(name) {
        "_total"
    } else {
        ""
    };
    let rest = match (kind, parts.next().unwrap_or_default()) {
        ("TYPE", "unknown" | "info" | "stateset" | "gaugehistogram") => "untyped",
        (_, rest) => rest,
    };
    writeln!(classic, "# {kind} {name}{end} {rest}")
}

/// Returns whether a client prefers OpenMetrics to plain text (RFC 9110 §12.5.1).
pub fn is_openmetrics_preferred(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let (mut openmetrics, mut plain) = (0.0_f32, 0.0_f32);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
        let quality = quality.unwrap_or(1.0);
        if media_type.eq_ignore_ascii_case(OPENMETRICS) {
            openmetrics = openmetrics.max(quality);
        } else if media_type.eq_ignore_ascii_case("text/plain") {
            plain = plain.max(quality);
        }
    }
    openmetrics > 0.0 && openmetrics >= plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_the_name_of_their_samples() {
        let openmetrics = "# HELP a_b Things.\n# TYPE a_b counter\n# UNIT a_b things\n\
            a_b_total{x=\"# y\"} 1\n# HELP a Others.\n# TYPE a gauge\na 2\n# EOF\n";
        let classic = "# HELP a_b_total Things.\n# TYPE a_b_total counter\n\
            a_b_total{x=\"# y\"} 1\n# HELP a Others.\n# TYPE a gauge\na 2\n";
        assert_eq!(from_openmetrics(openmetrics), classic);
    }

    #[test]
    fn openmetrics_is_sent_only_to_clients_that_prefer_it() {
        let is_preferred = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            is_openmetrics_preferred(&headers)
        };
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ] {
            assert!(is_preferred(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,*/*;q=0.8",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.2, text/plain;q=0.9",
        ] {
            assert!(!is_preferred(accept), "{accept}");
        }
        assert!(!is_openmetrics_preferred(&HeaderMap::new()));
    }
}
