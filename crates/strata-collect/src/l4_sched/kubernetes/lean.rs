//! An object without the parts that nothing here reads: they are left out while it is parsed, because
//! what is parsed for nothing is most of a pod and breaks the heap into holes.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value as Json};

/// An object as the API server sends it, without what [`Place::leaves_out`] names.
#[derive(Debug, Clone)]
pub(super) struct Lean(pub(super) DynamicObject);

impl Resource for Lean {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(resource)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(resource)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(resource)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(resource)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Place::Object.deserialize(from)?;
        DynamicObject::deserialize(value).map(Self).map_err(D::Error::custom)
    }
}

/// Where in an object we are. Names mean something by their place only: a label may be called `env`.
#[derive(Debug, Clone, Copy)]
enum Place {
    Object,
    Metadata,
    Annotations,
    Spec,
    Containers,
    Status,
    /// All of it is kept.
    Rest,
}

impl Place {
    fn leaves_out(self, key: &str) -> bool {
        match self {
            Self::Metadata => matches!(key, "managedFields" | "finalizers" | "selfLink"),
            // The whole object once more, as somebody applied it.
            Self::Annotations => key == "kubectl.kubernetes.io/last-applied-configuration",
            Self::Spec => matches!(
                key,
                "volumes"
                    | "tolerations"
                    | "affinity"
                    | "topologySpreadConstraints"
                    | "imagePullSecrets"
                    | "securityContext"
                    | "hostAliases"
                    | "dnsConfig"
                    | "ephemeralContainers"
            ),
            Self::Containers => matches!(
                key,
                "env"
                    | "envFrom"
                    | "volumeMounts"
                    | "volumeDevices"
                    | "ports"
                    | "livenessProbe"
                    | "readinessProbe"
                    | "startupProbe"
                    | "lifecycle"
                    | "securityContext"
            ),
            Self::Status => {
                matches!(key, "images" | "podIPs" | "hostIPs" | "volumesAttached" | "volumesInUse")
            }
            Self::Object | Self::Rest => false,
        }
    }

    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Object, "metadata") => Self::Metadata,
            (Self::Object, "spec") => Self::Spec,
            (Self::Object, "status") => Self::Status,
            (Self::Metadata, "annotations") => Self::Annotations,
            (Self::Spec, "containers" | "initContainers") => Self::Containers,
            _ => Self::Rest,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place {
    type Value = Json;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a value of JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = from.next_key::<Cow<'de, str>>()? {
            if self.leaves_out(&key) {
                from.next_value::<IgnoredAny>()?;
            } else {
                let value = from.next_value_seed(self.below(&key))?;
                map.insert(key.into_owned(), value);
            }
        }
        Ok(Json::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out_by_its_place() {
        let text = r#"{"apiVersion":"v1","kind":"Pod",
            "metadata":{"name":"p","managedFields":[{"manager":"m"}],
                "labels":{"env":"prod","volumes":"x"},
                "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","a":"b"}},
            "spec":{"nodeName":"n","volumes":[{"name":"v"}],"tolerations":[],
                "containers":[{"name":"c","args":["--model","m"],"env":[{"name":"E","value":"1"}],
                    "resources":{"limits":{"nvidia.com/gpu":"1"}}}]},
            "status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}],"restartCount":-3,"ready":true}}"#;
        let Lean(found) = serde_json::from_str(text).unwrap();
        let expected: DynamicObject = serde_json::from_str(
            r#"{"apiVersion":"v1","kind":"Pod",
            "metadata":{"name":"p","labels":{"env":"prod","volumes":"x"},"annotations":{"a":"b"}},
            "spec":{"nodeName":"n","containers":[{"name":"c","args":["--model","m"],
                    "resources":{"limits":{"nvidia.com/gpu":"1"}}}]},
            "status":{"phase":"Running","restartCount":-3,"ready":true}}"#,
        )
        .unwrap();
        assert_eq!(found, expected);
        // Of other kinds all is kept but for these names at these places.
        let slice =
            r#"{"metadata":{"name":"s"},"spec":{"devices":[{"attributes":{"env":{"int":4}}}]}}"#;
        let Lean(found) = serde_json::from_str(slice).unwrap();
        assert_eq!(found.data["spec"]["devices"][0]["attributes"]["env"]["int"], 4);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "7", "{", r#"{"metadata":7}"#, r#"{"metadata":{"labels":[]}}"#] {
            assert!(serde_json::from_str::<Lean>(text).is_err(), "{text}");
        }
    }
}
