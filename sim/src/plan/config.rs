//! How is the producer of a plan configured?

use std::time::Duration;

use producer_core::wire::SerializeType;
use producer_core::{Adaptive, Address, Config, FaultTable, Health, OnUnknown, Require};
use serde::{Deserialize, Serialize};

/// A preset, and what differs from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProducerPlan {
    /// Where it starts from.
    pub preset: Preset,
    /// What differs.
    #[serde(default)]
    pub overrides: Overrides,
}

/// One of the two configurations that users start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// [`Config::java`].
    Java,
    /// [`Config::default`].
    Default,
}

/// Fields of [`Config`] with values of their own; the rest is the preset's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// [`Config::send_timeout`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_timeout_ms: Option<u64>,
    /// [`Config::attempt_timeout`]; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// [`Config::attempts_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    /// Whether [`Config::on_unknown`] is to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_on_unknown: Option<bool>,
    /// [`Config::retry_not_ok`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_not_ok: Option<bool>,
    /// Whether [`Config::require`] is a status that says that all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_ok: Option<bool>,
    /// [`Config::health`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthPlan>,
    /// Whether [`Config::header`] is RocketMQ's binary form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_header: Option<bool>,
    /// [`Config::sends_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends_max: Option<usize>,
    /// [`Config::waiting_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_max: Option<usize>,
    /// [`Config::route_poll`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_poll_ms: Option<u64>,
    /// [`Config::auto_create_topics`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_create_topics: Option<bool>,
}

/// [`Health`] in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthPlan {
    /// [`Health::Off`].
    Off,
    /// [`Health::Java`] with its defaults.
    Java,
    /// [`Health::Adaptive`] with its defaults.
    Adaptive,
}

impl ProducerPlan {
    /// The configuration, with these name servers.
    pub fn config(&self, name_servers: Vec<Address>) -> Config {
        let base = match self.preset {
            // The judge compares what is stored byte for byte.
            Preset::Java => Config { compression: None, ..Config::java() },
            Preset::Default => Config::default(),
        };
        let with = &self.overrides;
        Config {
            name_servers,
            send_timeout: with.send_timeout_ms.map_or(base.send_timeout, Duration::from_millis),
            attempt_timeout: match with.attempt_timeout_ms {
                Some(0) => None,
                Some(ms) => Some(Duration::from_millis(ms)),
                None => base.attempt_timeout,
            },
            attempts_max: with.attempts_max.unwrap_or(base.attempts_max),
            on_unknown: match with.stop_on_unknown {
                Some(true) => OnUnknown::Stop,
                Some(false) => OnUnknown::Retry,
                None => base.on_unknown,
            },
            retry_not_ok: with.retry_not_ok.unwrap_or(base.retry_not_ok),
            require: match with.require_ok {
                Some(true) => Require::SendOk,
                Some(false) | None => base.require,
            },
            health: match with.health {
                Some(HealthPlan::Off) => Health::Off,
                Some(HealthPlan::Java) => Health::Java(FaultTable::default()),
                Some(HealthPlan::Adaptive) => Health::Adaptive(Adaptive::default()),
                None => base.health.clone(),
            },
            header: match with.binary_header {
                Some(true) => SerializeType::RocketMq,
                Some(false) => SerializeType::Json,
                None => base.header,
            },
            sends_max: with.sends_max.unwrap_or(base.sends_max),
            waiting_max: with.waiting_max.unwrap_or(base.waiting_max),
            route_poll: with.route_poll_ms.map_or(base.route_poll, Duration::from_millis),
            auto_create_topics: with.auto_create_topics.unwrap_or(base.auto_create_topics),
            ..base
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_change_the_preset_and_nothing_else() {
        let plan: ProducerPlan = serde_json::from_str(
            r#"{"preset":"default","overrides":{"attempt_timeout_ms":0,"sends_max":7}}"#,
        )
        .expect("a plan");

        let config = plan.config(Vec::new());

        assert_eq!((config.attempt_timeout, config.sends_max), (None, 7));
        assert_eq!(config.attempts_max, Config::default().attempts_max);
        assert!(serde_json::from_str::<ProducerPlan>(r#"{"preset":"default","o":1}"#).is_err());
    }
}
