//! Do the Java client, whoever stored its messages, and this crate's decoder agree?

use serde_json::Value;

use crate::cluster::java::Peer;
use crate::cluster::{Result, Stored};

/// Holds the results of [`Peer::send`] against the messages that a topic has then. Panics with the
/// first result that is no success, or whose messages are not stored as it says.
#[track_caller]
pub fn stored_is_what_java_sent(results: &[Value], messages: &[Stored]) {
    for result in results {
        let ids: Vec<_> = result["msgId"].as_str().unwrap_or_default().split(',').collect();
        let keys = result["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(ids.len(), keys.len(), "{result}");
        let offset_ids = result["offsetMsgId"].as_str().unwrap_or_default();
        let mut offset_ids = offset_ids.split(',');
        let is_oneway = result["api"] == "oneway";
        assert!(is_oneway || result["status"] == "SEND_OK", "{result}");
        for (nth, (id, key)) in (0_i64..).zip(ids.iter().zip(keys)) {
            let mut found = messages.iter().filter(|message| message.uniq_key() == Some(id));
            let message = found.next().unwrap_or_else(|| panic!("{id} of {result} is not stored"));
            assert_eq!(found.next(), None, "{id} of {result} is stored twice");
            assert_eq!(*key, message.keys().unwrap_or_default(), "{result}");
            assert_eq!(result["api"], message.tags().unwrap_or_default(), "{result}");
            let body = key.as_str().unwrap_or_default().as_bytes();
            assert!(is_compressed(message) || message.body.starts_with(body), "{result}");
            if is_oneway {
                continue;
            }
            assert_eq!(result["broker"], *message.broker, "{result}");
            assert_eq!(result["queueId"], message.queue_id, "{result}");
            let offset = result["queueOffset"].as_i64().map(|first| first + nth);
            assert_eq!(offset, Some(message.queue_offset), "{result}");
            assert_eq!(offset_ids.next(), Some(&*message.offset_id()), "{result}");
        }
    }
}

/// Java decodes each stored record to what [`Stored`] has, and reads a time near that of storing
/// from each id.
pub fn java_reads_the_same(peer: &Peer, messages: &[Stored]) -> Result<()> {
    let hex: Vec<_> = messages.iter().map(Stored::raw_hex).collect();
    let mut hex: Vec<_> = hex.iter().map(String::as_str).collect();
    hex.push("00000004");

    let mut decoded = peer.decode(&hex)?;

    let broken = decoded.pop().expect("a result for each argument");
    assert_eq!(broken["isMessage"], false);
    assert_eq!(decoded.len(), messages.len());
    for (message, java) in messages.iter().zip(&decoded) {
        assert_eq!(java["topic"], message.topic);
        assert_eq!(java["queueId"], message.queue_id);
        assert_eq!(java["queueOffset"], message.queue_offset);
        assert_eq!(java["physicalOffset"], message.physical_offset);
        assert_eq!(java["flag"], message.flag);
        assert_eq!(java["bornTimeMs"], message.born_time_ms);
        assert_eq!(java["storeTimeMs"], message.store_time_ms);
        assert_eq!(java["bornHost"], message.born_host.to_string());
        assert_eq!(java["storeHost"], message.store_host.to_string());
        for (name, value) in &message.properties {
            assert_eq!(java["properties"][name], *value);
        }
        let body: String = message.body.iter().map(|byte| format!("{byte:02x}")).collect();
        let same = java["bodyHex"] == body;
        assert!(same || is_compressed(message), "{java}");
        assert!(java["bodyHex"].as_str() > Some(""), "{java}");
    }
    let ids: Vec<_> = messages.iter().filter_map(Stored::uniq_key).collect();
    let ids: Vec<Value> = peer.ids(&ids)?;
    for (message, id) in messages.iter().zip(&ids) {
        let apart = id["timeMs"].as_i64().map(|time| (time - message.store_time_ms).abs());
        assert!(apart < Some(10_000), "{id} was stored at {}", message.store_time_ms);
    }
    Ok(())
}

fn is_compressed(message: &Stored) -> bool {
    message.sys_flag & 1 != 0
}
