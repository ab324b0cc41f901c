//! Questions to a name server: GET_ROUTEINFO_BY_TOPIC (105) and its key-value store.

use alloc::string::String;

use super::{Ext, Fields, WireError};

/// GET_ROUTEINFO_BY_TOPIC (105); the response body is a [`super::route::TopicRouteData`] (spec §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteRequest {
    /// Topic, namespace included.
    pub topic: String,
    /// Ask for strict JSON whatever the version; 4.9.4+.
    pub accept_standard_json_only: Option<bool>,
}

impl RouteRequest {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            topic: ext.need_text("topic")?,
            accept_standard_json_only: ext.bool("acceptStandardJsonOnly"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("topic", &*self.topic)
            .show_opt("acceptStandardJsonOnly", self.accept_standard_json_only)
    }
}

/// PUT_KV_CONFIG (100), GET_KV_CONFIG (101) and DELETE_KV_CONFIG (102).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KvRequest {
    /// Namespace, such as `ORDER_TOPIC_CONFIG`.
    pub namespace: String,
    /// Key.
    pub key: String,
    /// Value; for 100 only.
    pub value: Option<String>,
}

impl KvRequest {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self {
            namespace: ext.need_text("namespace")?,
            key: ext.need_text("key")?,
            value: ext.text("value"),
        })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new()
            .text("namespace", &*self.namespace)
            .text("key", &*self.key)
            .text_opt("value", self.value.as_deref())
    }
}

/// Response to GET_KV_CONFIG.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KvResponse {
    /// Value.
    pub value: Option<String>,
}

impl KvResponse {
    /// Reads the ext fields.
    pub fn from_ext(ext: &Ext<'_>) -> Result<Self, WireError> {
        Ok(Self { value: ext.text("value") })
    }

    /// The ext fields.
    pub fn to_ext(&self) -> Fields<'_> {
        Fields::new().text_opt("value", self.value.as_deref())
    }
}
