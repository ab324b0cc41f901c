//! What kind of message is it: delayed, of a priority, of a key?

use std::time::Duration;

use clap::Args;
use producer_native::{InvalidMessage, Message};

use crate::options::duration;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kind")]
pub(crate) struct KindArguments {
    /// Deliver it later, by one of the broker's 18 levels
    #[arg(long, value_name = "LEVEL", group = "later")]
    delay_level: Option<u32>,
    /// Deliver it so long after the broker got it (5.x; older ones deliver at once)
    #[arg(long, value_name = "TIME", value_parser = duration, group = "later")]
    delay: Option<Duration>,
    /// Deliver it at this time, in milliseconds since 1970 (5.x)
    #[arg(long, value_name = "MS", group = "later")]
    deliver_at: Option<u64>,
    /// Priority, for topics that were made for them (5.4)
    #[arg(long, value_name = "N")]
    priority: Option<u16>,
    /// Key of a FIFO topic's messages
    #[arg(long, value_name = "KEY")]
    sharding_key: Option<String>,
    /// Put it into this light queue too; may be repeated
    #[arg(long, value_name = "QUEUE")]
    dispatch: Vec<String>,
}

impl KindArguments {
    /// The message as what was asked for.
    pub(super) fn apply(&self, mut message: Message) -> Result<Message, InvalidMessage> {
        if let Some(level) = self.delay_level {
            message = message.delay_level(level)?;
        }
        if let Some(delay) = self.delay {
            message = message.delay(delay)?;
        }
        if let Some(unix_ms) = self.deliver_at {
            message = message.deliver_at(unix_ms)?;
        }
        if let Some(priority) = self.priority {
            message = message.priority(priority)?;
        }
        if let Some(key) = &self.sharding_key {
            message = message.sharding_key(key)?;
        }
        if !self.dispatch.is_empty() {
            message = message.multi_dispatch(self.dispatch.iter().map(String::as_str))?;
        }
        Ok(message)
    }
}
