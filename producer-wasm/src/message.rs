//! How does a message cross from JavaScript?
//!
//! As a head and a body. The head is `topic, tag, keys, queue, options`, then names and values of
//! properties, with U+0001 in between; keys and options have U+0002 in between. The queue is empty
//! (they take turns), or a letter with an argument: `h` the hash of a text, `s` an ordering key that
//! waits, `a` one that moves, `r` any queue, `q` broker, U+0003 and number. An option is a letter
//! and its value. JavaScript refuses texts that hold one of the three before it makes a head.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use producer_core::wire::sys_flag::Compression;
use producer_core::{Message, MessageId, Order, Queue, QueueChoice, Reply, Require, SendOptions};

use crate::span;

const FIELD: char = '\u{1}';
const PART: char = '\u{2}';
const WITHIN: char = '\u{3}';

/// What is asked for beside the message.
#[derive(Default)]
pub(crate) struct Wanted {
    queue: QueueChoice,
    attempt_timeout: Option<Duration>,
    require: Option<Require>,
    message_id: Option<MessageId>,
}

impl Wanted {
    pub(crate) fn options(self, reply: Reply, timeout: f64) -> SendOptions {
        SendOptions {
            queue: self.queue,
            reply,
            timeout: span(timeout).filter(|timeout| !timeout.is_zero()),
            attempt_timeout: self.attempt_timeout,
            require: self.require,
            message_id: self.message_id,
            ..SendOptions::default()
        }
    }
}

/// The message with this head and body, and what is asked for beside it.
pub(crate) fn read(head: &str, body: Vec<u8>) -> Result<(Message, Wanted), String> {
    let mut fields = head.split(FIELD);
    let mut next = || fields.next().unwrap_or_default();
    let (topic, tag, keys, queue, options) = (next(), next(), next(), next(), next());
    let message = fill(topic, tag, keys, body).map_err(|problem| problem.to_string())?;
    let (mut message, wanted) = ask(Some(message), queue, options)?;
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let with = message.take().map(|message| message.with_property(name, value));
        message = with.transpose().map_err(|problem| problem.to_string())?;
    }
    Ok((message.ok_or_else(|| "there is no message".to_owned())?, wanted))
}

/// What is asked for beside a batch: queue and options of this head.
pub(crate) fn wanted(head: &str) -> Result<Wanted, String> {
    let mut fields = head.split(FIELD).skip(3);
    let (queue, options) = (fields.next(), fields.next());
    Ok(ask(None, queue.unwrap_or_default(), options.unwrap_or_default())?.1)
}

fn fill(
    topic: &str,
    tag: &str,
    keys: &str,
    body: Vec<u8>,
) -> Result<Message, producer_core::InvalidMessage> {
    let mut message = Message::new(topic, body)?;
    if !tag.is_empty() {
        message = message.tag(tag)?;
    }
    if !keys.is_empty() {
        message = message.keys(keys.split(PART))?;
    }
    Ok(message)
}

fn ask(
    mut message: Option<Message>,
    queue: &str,
    options: &str,
) -> Result<(Option<Message>, Wanted), String> {
    let mut wanted = Wanted { queue: choice(queue)?, ..Wanted::default() };
    for option in options.split(PART).filter(|option| !option.is_empty()) {
        let (name, value) = option.split_at(1);
        match name {
            "i" => {
                let id = MessageId::parse(value);
                wanted.message_id = Some(id.ok_or("the message id is not 32 hex digits")?);
            }
            "t" => {
                let ms: u32 = value.parse().map_err(|_| format!("attempt timeout \"{value}\""))?;
                wanted.attempt_timeout = Some(Duration::from_millis(u64::from(ms)));
            }
            "R" => wanted.require = Some(require(value)?),
            _ => {
                let with = message.take().map(|message| more(message, name, value));
                message = with.transpose()?;
            }
        }
    }
    Ok((message, wanted))
}

/// An option of the message itself.
fn more(message: Message, name: &str, value: &str) -> Result<Message, String> {
    let number = || value.parse::<u64>().map_err(|_| format!("\"{value}\" is no number"));
    let small =
        || number().and_then(|n| u32::try_from(n).map_err(|_| format!("{value} is too large")));
    let with = match name {
        "d" => message.delay_level(small()?),
        "D" => message.delay(Duration::from_millis(number()?)),
        "A" => message.deliver_at(number()?),
        "P" => {
            let priority = u16::try_from(number()?).map_err(|_| format!("priority {value}"))?;
            message.priority(priority)
        }
        "s" => message.sharding_key(value),
        "f" => {
            let flag = value.parse().map_err(|_| format!("flag \"{value}\""))?;
            Ok(message.flag(flag))
        }
        "w" => Ok(message.wait_store_ok(value != "0")),
        // The body is compressed already.
        "z" => {
            let body = message.body().clone();
            Ok(message.with_compressed(Compression::Zlib, body))
        }
        _ => return Err(format!("no option \"{name}\"")),
    };
    with.map_err(|problem| problem.to_string())
}

fn require(value: &str) -> Result<Require, String> {
    Ok(match value {
        "stored" => Require::Stored,
        "flushed" => Require::Flushed,
        "replicated" => Require::Replicated,
        "ok" => Require::SendOk,
        _ => return Err(format!("require \"{value}\"")),
    })
}

fn choice(queue: &str) -> Result<QueueChoice, String> {
    let Some(letter) = queue.chars().next() else { return Ok(QueueChoice::Rotate) };
    let argument = &queue[letter.len_utf8()..];
    Ok(match letter {
        'h' => QueueChoice::hash(argument),
        's' => QueueChoice::ordered(argument, Order::Strict),
        'a' => QueueChoice::ordered(argument, Order::Available),
        'r' => QueueChoice::Random,
        'q' => {
            let (broker, id) = argument.split_once(WITHIN).ok_or("a queue is broker and number")?;
            let id = id.parse().map_err(|_| format!("queue \"{id}\" is no number"))?;
            QueueChoice::Queue(Queue::new(broker, id))
        }
        _ => return Err(format!("no choice of queue \"{letter}\"")),
    })
}
