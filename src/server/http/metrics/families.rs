//! Figures under one name, as the collectors of `prometheus-client` write them down.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric as _, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::hub::LagSnapshot;

/// Where figures are written. Names are without the prefix of the registry, and those of counters without `_total`.
pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

impl Families<'_> {
    /// What goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        ConstGauge::new(value).encode(self.begin(name, help, MetricType::Gauge)?)
    }

    /// What only grows.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        ConstCounter::new(value).encode(self.begin(name, help, MetricType::Counter)?)
    }

    /// What only grows, for each value of a label.
    pub(super) fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'l str, u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Counter)?;
        values.into_iter().try_for_each(|(labelled, value)| {
            ConstCounter::new(value).encode(family.encode_family(&[(label, labelled)])?)
        })
    }

    /// What does not change, as labels.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.begin(name, help, MetricType::Info)?.encode_info(&labels)
    }

    /// How many were so late.
    pub(super) fn histogram(&mut self, name: &str, help: &str, lag: &LagSnapshot) -> fmt::Result {
        let (sum, count) = (lag.sum, lag.buckets.iter().map(|(_bound, count)| count).sum());
        let mut family = self.begin(name, help, MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(sum, count, &lag.buckets, None)
    }

    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}
