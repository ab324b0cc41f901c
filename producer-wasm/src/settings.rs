//! Which settings may a page make?

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use producer_core::wire::{SerializeType, bridge};
use producer_core::{Address, Backoff, Config, GroupName, OnUnknown, Require};

/// Reads names and values in turn, each ended by U+0001, over what suits a page.
pub(crate) fn read(settings: &str) -> Result<Config, String> {
    let mut config = of_a_page()?;
    let mut parts = settings.split('\u{1}');
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        set(&mut config, name, value).map_err(|problem| format!("{name}: {problem}"))?;
    }
    Ok(config)
}

/// The bridge has the name servers, wants binary headers, and serves many pages, which must not all
/// come back at once. Memory is a page's, and what does not fit is said at once.
fn of_a_page() -> Result<Config, String> {
    Ok(Config {
        name_servers: Address::list(bridge::NAME_SERVERS).map_err(|problem| problem.to_string())?,
        header: SerializeType::RocketMq,
        redial: Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(5) },
        sends_max: 4_096,
        bytes_max: 4 << 20,
        waiting_max: 0,
        waiting_bytes_max: 0,
        frame_bytes_max: 4 << 20,
        topics_max: 1_024,
        events: true,
        ..Config::default()
    })
}

fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u64>().map_err(|_| format!("\"{value}\" is no number"));
    let count =
        || number().and_then(|n| usize::try_from(n).map_err(|_| format!("{value} is too large")));
    let few = || number().map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let ms = || number().map(Duration::from_millis);
    match name {
        "group" => config.group = GroupName::new(value).map_err(|problem| problem.to_string())?,
        "instance" => config.instance_name = Some(value.to_owned()),
        "namespace" => config.namespace = Some(value.to_owned()),
        "namespaceV2" => config.namespace_v2 = Some(value.to_owned()),
        "timeout" => config.send_timeout = ms()?,
        "attemptTimeout" => config.attempt_timeout = Some(ms()?),
        "attempts" => config.attempts_max = few()?.max(1),
        "onUnknown" => {
            config.on_unknown = match value {
                "retry" => OnUnknown::Retry,
                "stop" => OnUnknown::Stop,
                _ => return Err(format!("\"{value}\" is neither retry nor stop")),
            };
        }
        "require" => {
            config.require = match value {
                "stored" => Require::Stored,
                "flushed" => Require::Flushed,
                "replicated" => Require::Replicated,
                "ok" => Require::SendOk,
                _ => return Err(format!("\"{value}\" is none of stored, flushed, replicated, ok")),
            };
        }
        "pendingMessages" => config.sends_max = count()?,
        "pendingBytes" => config.bytes_max = count()?,
        "messageBytes" => config.message_bytes_max = count()?,
        "createTopics" => config.auto_create_topics = value == "true",
        "redialFirst" => config.redial.first = ms()?,
        "redialLongest" => config.redial.longest = ms()?,
        _ => return Err("there is no such setting".to_owned()),
    }
    Ok(())
}
