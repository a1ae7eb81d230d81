//! The labels of a series: from data point, resource and scope.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use strata_model::{FaultCode, Labels, LabelsBuilder, METRIC_NAME};

use super::names::label_name;
use super::options::OtlpSettings;
use super::values::label_value;
use crate::receive::ReceiveLimits;
use crate::receive::tally::{Tally, quote};

/// Attributes that say which target it is; `job` and `instance` are made of them.
const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];

/// What all series of one resource share.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// `service.namespace/service.name`; empty without a service name.
    pub(super) job: String,
    /// `service.instance.id`; empty when there is none.
    pub(super) instance: String,
    /// Promoted attributes as labels.
    promoted: Vec<(String, String)>,
    /// Labels of its `target_info`; `None` when it would say nothing or names no target.
    pub(super) info: Option<Labels>,
}

impl Target {
    pub(super) fn of(
        resource: Option<&Resource>,
        settings: &OtlpSettings,
        tally: &mut Tally,
    ) -> Self {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let value = |key: &str| {
            attributes
                .iter()
                .find(|pair| pair.key == key)
                .map(|pair| label_value(pair.value.as_ref()))
                .filter(|value| !value.is_empty())
        };
        let job = match (value("service.namespace"), value("service.name")) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (None, Some(name)) => name,
            (_, None) => String::new(),
        };
        let promoted = settings
            .promote
            .iter()
            .filter_map(|key| Some((label_name(key).into_owned(), value(key)?)))
            .collect();
        let mut target = Self {
            job,
            instance: value("service.instance.id").unwrap_or_default(),
            promoted,
            info: None,
        };
        let named = !target.job.is_empty() || !target.instance.is_empty();
        let more = attributes.iter().any(|pair| !IDENTIFYING.contains(&pair.key.as_str()));
        if settings.target_info && named && more {
            let mut labels = LabelsBuilder::default();
            set_attributes(&mut labels, attributes, &IDENTIFYING, tally);
            target.set_identity(&mut labels);
            let name = match settings.namespace.as_str() {
                "" => "target_info".to_owned(),
                namespace => format!("{namespace}_target_info"),
            };
            labels.set(METRIC_NAME, &name);
            target.info = Some(labels.build());
        }
        target
    }

    /// The labels of a data point, without the metric's name.
    pub(super) fn labels_of(
        &self,
        attributes: &[KeyValue],
        scope: &[(String, String)],
        tally: &mut Tally,
    ) -> LabelsBuilder {
        let mut labels = LabelsBuilder::default();
        set_attributes(&mut labels, attributes, &[], tally);
        for (name, value) in &self.promoted {
            if labels.get(name).is_none_or(str::is_empty) {
                labels.set(name, value);
            }
        }
        self.set_identity(&mut labels);
        for (name, value) in scope {
            labels.set(name, value);
        }
        labels
    }

    fn set_identity(&self, labels: &mut LabelsBuilder) {
        for (name, value) in [("job", &self.job), ("instance", &self.instance)] {
            if !value.is_empty() {
                labels.set(name, value);
            }
        }
    }
}

/// The labels that an instrumentation scope gives to its series.
pub(super) fn scope_labels(
    scope: Option<&InstrumentationScope>,
    schema_url: &str,
    settings: &OtlpSettings,
) -> Vec<(String, String)> {
    let Some(scope) = scope.filter(|_| settings.scope_labels) else { return Vec::new() };
    let mut labels: Vec<(String, String)> = scope
        .attributes
        .iter()
        .map(|pair| {
            let name = label_name(&pair.key);
            (format!("otel_scope_{name}"), label_value(pair.value.as_ref()))
        })
        .collect();
    for (name, value) in
        [("name", scope.name.as_str()), ("version", &scope.version), ("schema_url", schema_url)]
    {
        labels.push((format!("otel_scope_{name}"), value.to_owned()));
    }
    labels
}

/// Set attributes as labels, in order of key. Where two become the same name their values are
/// joined by `;`, as Prometheus does.
fn set_attributes(
    labels: &mut LabelsBuilder,
    attributes: &[KeyValue],
    ignored: &[&str],
    tally: &mut Tally,
) {
    let mut sorted: Vec<&KeyValue> = attributes
        .iter()
        .filter(|pair| pair.key != METRIC_NAME && !ignored.contains(&pair.key.as_str()))
        .collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    for pair in sorted {
        let name = label_name(&pair.key);
        let value = label_value(pair.value.as_ref());
        if name.is_empty() || value.is_empty() {
            continue;
        }
        match labels.get(&name) {
            Some(already) => {
                let joined = format!("{already};{value}");
                tally.fault(FaultCode::Duplicate, "attributes that become one label", || {
                    quote(pair.key.as_bytes())
                });
                labels.set(&name, &joined);
            }
            None => {
                labels.set(&name, &value);
            }
        }
    }
}

/// Why a label set is refused, if it is beyond a bound.
pub(super) fn over_limits(labels: &Labels, limits: &ReceiveLimits) -> Option<&'static str> {
    let mut count = 0;
    for (name, value) in labels.iter() {
        count += 1;
        if name.len() > limits.label_name_bytes {
            return Some("label name is too long");
        }
        if value.len() > limits.label_value_bytes {
            return Some("label value is too long");
        }
    }
    (count > limits.labels_per_series).then_some("too many labels in one series")
}
