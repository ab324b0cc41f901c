//! What else is said of a topic when it is made? The attributes of 5.4.0, such as
//! `+message.type=FIFO,-reserve.time` (`AttributeParser.java`, `AttributeUtil.java`).

use std::collections::BTreeMap;

use producer_core::wire::code::response;

use super::super::answer::Answer;

/// The attributes of a topic.
pub(super) type Attributes = BTreeMap<String, String>;

/// What `changes` make of the attributes that a topic has, or `None` if it is to be made.
pub(super) fn altered(current: Option<&Attributes>, changes: &str) -> Result<Attributes, Answer> {
    let mut all = current.cloned().unwrap_or_default();
    for change in changes.split(',').map(str::trim).filter(|change| !change.is_empty()) {
        if let Some((name, value)) = change.split_once('=') {
            let Some(name) = name.trim().strip_prefix('+') else {
                return Err(wrong(format!("add/alter attribute format is wrong: {name}")));
            };
            check(name, value.trim())?;
            let old = all.insert(name.to_owned(), value.trim().to_owned());
            if name == QUEUE_TYPE && old.is_some() {
                let text = "attempt to update an unchangeable attribute. key: ";
                return Err(wrong(format!("{text}{name}")));
            }
        } else {
            let Some(name) = change.strip_prefix('-') else {
                return Err(wrong(format!("delete attribute format is wrong: {change}")));
            };
            if current.is_none() {
                let text = "only add attribute is supported while creating topic. key: ";
                return Err(wrong(format!("{text}{change}")));
            }
            all.remove(name);
        }
    }
    Ok(all)
}

fn check(name: &str, value: &str) -> Result<(), Answer> {
    let known: &[&str] = match name {
        QUEUE_TYPE => &["SimpleCQ", "BatchCQ"],
        "cleanup.policy" => &["DELETE", "COMPACTION"],
        "message.type" => &["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"],
        "reserve.time" => return Ok(()),
        _ => return Err(wrong(format!("unsupported key: {name}"))),
    };
    if name == "message.type" && value == "MIXED" {
        let remark = "MIXED message type is not supported.";
        return Err(Answer::error(response::INVALID_PARAMETER, remark));
    }
    if known.contains(&value) {
        return Ok(());
    }
    Err(wrong(format!("value is not in set: {known:?}")))
}

fn wrong(remark: String) -> Answer {
    Answer::error(response::SYSTEM_ERROR, remark)
}

const QUEUE_TYPE: &str = "queue.type";
