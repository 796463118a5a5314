//! The text in which Prometheus takes figures ("Exposition formats", version 0.0.4). Pure.

use std::fmt::Write as _;

use crate::server::metric::MetricKind;

/// Figures in the making.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    /// That samples are of.
    name: String,
}

impl Text {
    /// Begins what is called by one name; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: MetricKind, help: &str) {
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        self.begin(name, kind, help);
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {}", escaped(help)));
        self.line(format_args!("# TYPE {name} {kind}"));
        name.clone_into(&mut self.name);
    }

    /// One value, told from others of the name by labels.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let name = std::mem::take(&mut self.name);
        self.value(&name, labels, value);
        self.name = name;
    }

    /// How many values were at most so large; the last bound is infinite.
    pub(super) fn histogram(&mut self, name: &str, help: &str, at_most: &[(f64, u64)], sum: f64) {
        self.begin(name, "histogram", help);
        let count = |count: u64| count as f64;
        for (bound, at_most) in at_most {
            let bound = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
            self.value(&format!("{name}_bucket"), &[("le", &bound)], count(*at_most));
        }
        self.value(&format!("{name}_sum"), &[], sum);
        self.value(&format!("{name}_count"), &[], count(at_most.last().map_or(0, |(_, all)| *all)));
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // text always has room
        writeln!(self.text, "{line}").ok();
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }
}

/// Text that stays on its line and within quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.family("a_total", MetricKind::Counter, "What it is");
        text.sample(&[], 3.0);
        text.sample(&[("topic", "/a\"\\\n"), ("by", "b")], 0.5);
        text.histogram("lag_seconds", "How late", &[(0.001, 1), (f64::INFINITY, 4)], 2.5);
        assert_eq!(
            text.into_string(),
            "# HELP a_total What it is\n\
             # TYPE a_total counter\n\
             a_total 3\n\
             a_total{topic=\"/a\\\"\\\\\\n\",by=\"b\"} 0.5\n\
             # HELP lag_seconds How late\n\
             # TYPE lag_seconds histogram\n\
             lag_seconds_bucket{le=\"0.001\"} 1\n\
             lag_seconds_bucket{le=\"+Inf\"} 4\n\
             lag_seconds_sum 2.5\n\
             lag_seconds_count 4\n"
        );
    }
}
