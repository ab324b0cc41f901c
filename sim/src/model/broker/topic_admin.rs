//! How is a broker changed while it runs? UPDATE_AND_CREATE_TOPIC (17), UPDATE_BROKER_CONFIG (25).

use std::time::Duration;

use producer_core::wire::code::response;
use producer_core::wire::topic_config::CreateTopic;
use producer_core::wire::{WireError, names};

use super::super::answer::{Answer, Request};
use super::super::{Instant, Release};
use super::attributes::{Attributes, altered};
use super::{Broker, TopicConfig};

impl Broker {
    pub(super) fn create_topic(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, WireError> {
        let asked = CreateTopic::from_ext(&request.header.ext)?;
        let code = self.invalid_parameter();
        if let Err(error) = names::check_topic(&asked.topic) {
            return Ok(Answer::error(code, self.name_remark(&asked.topic, error)));
        }
        if names::is_system_topic(&asked.topic) {
            let topic = asked.topic;
            let remark = format!("The topic[{topic}] is conflict with system topic.");
            return Ok(Answer::error(code, remark));
        }
        let topic = TopicConfig {
            read_queues: asked.read_queue_nums,
            write_queues: asked.write_queue_nums,
            perm: asked.perm,
            sys_flag: asked.topic_sys_flag.unwrap_or(0),
            // 4.9.7 drops the flag.
            order: asked.order.eq_ignore_ascii_case("true")
                && self.config.release == Release::V5_4_0,
        };
        let changes = asked.attributes.as_deref().unwrap_or("");
        let newer = self.config.release == Release::V5_4_0;
        let current = self.topics.get(&asked.topic).map(|topic| &topic.attributes);
        let attributes = match altered(current, changes).map(|all| newer.then_some(all)) {
            Ok(attributes) => attributes.unwrap_or_default(),
            Err(refused) if newer => return Ok(refused),
            Err(_) => Attributes::new(),
        };
        self.set_topic(now, &asked.topic, topic);
        if let Some(topic) = self.topics.get_mut(&asked.topic) {
            topic.attributes = attributes;
        }
        // Success with a remark, in both releases.
        Ok(Answer::error(response::SUCCESS, "not set any response code"))
    }

    /// The attributes of a topic, in order of name; 4.9.7 knows none.
    pub fn topic_attributes(&self, topic: &str) -> Vec<(String, String)> {
        let attributes = self.topics.get(topic).map(|topic| topic.attributes.clone());
        attributes.into_iter().flatten().collect()
    }

    /// Any key is accepted, also those that change nothing here, as in Java.
    pub(super) fn update_config(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, WireError> {
        let body = String::from_utf8_lossy(request.body);
        for line in body.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            self.set_config(key.trim(), value.trim());
        }
        self.topics.changes += 1;
        self.register(now);
        Ok(Answer::ok())
    }

    fn set_config(&mut self, key: &str, value: &str) {
        let truth = value.eq_ignore_ascii_case("true");
        let config = &mut self.config;
        match key {
            "brokerPermission" => config.permission = value.parse().unwrap_or(config.permission),
            "maxMessageSize" => {
                config.body_bytes_max = value.parse().unwrap_or(config.body_bytes_max);
            }
            "autoCreateTopicEnable" => config.auto_create_topics = truth,
            "autoCreateSubscriptionGroup" => config.auto_create_groups = truth,
            "rejectTransactionMessage" => config.reject_transactions = truth,
            "recallMessageEnable" => config.recall = truth,
            "timerWheelEnable" => config.timers = truth,
            "transactionTimeOut" => set_millis(&mut config.transaction_timeout, value),
            "transactionCheckInterval" => {
                set_millis(&mut config.transaction_check_interval, value);
            }
            "transactionCheckMax" => {
                config.transaction_check_max =
                    value.parse().unwrap_or(config.transaction_check_max);
            }
            "regionId" => value.clone_into(&mut config.region),
            "traceOn" => config.trace_on = truth,
            _ => {}
        }
    }

    /// Older releases have no code of its own for this.
    pub(super) const fn invalid_parameter(&self) -> i32 {
        match self.config.release {
            Release::V4_9_7 => response::SYSTEM_ERROR,
            Release::V5_4_0 => response::INVALID_PARAMETER,
        }
    }

    pub(super) fn name_remark(&self, topic: &str, error: names::NameError) -> String {
        match (error, self.config.release) {
            (names::NameError::Blank, _) => "The specified topic is blank.".to_owned(),
            (names::NameError::TooLong { max }, _) => {
                format!("The specified topic is longer than topic max length {max}.")
            }
            (_, Release::V4_9_7) => {
                format!("The specified topic contains illegal characters, {LEGAL}")
            }
            (_, Release::V5_4_0) => {
                format!("The specified topic: {topic}, contains illegal characters, {LEGAL}")
            }
        }
    }
}

fn set_millis(time: &mut Duration, text: &str) {
    if let Ok(millis) = text.parse() {
        *time = Duration::from_millis(millis);
    }
}

const LEGAL: &str = "allowing only ^[%|a-zA-Z0-9_-]+$";
