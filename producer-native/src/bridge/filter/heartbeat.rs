//! Does a heartbeat say nothing but which groups a client produces for?
//!
//! It is read more strictly than any server reads it: what two readers could take differently
//! (a member twice, in other letters, without its name, a comment, an unknown member) is refused.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Why;
use crate::bridge::Grants;

/// What clients write (spec §8.3, `HeartbeatData.java`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heartbeat<'a> {
    #[serde(rename = "clientID", borrow)]
    _client_id: Cow<'a, str>,
    #[serde(rename = "producerDataSet", borrow)]
    producers: Vec<Object<Producer<'a>>>,
    /// Consumers, of which there must be none: a page that says it consumes would be given
    /// queues of the group it names, whose messages then nobody reads.
    #[serde(rename = "consumerDataSet", default)]
    consumers: Vec<serde::de::IgnoredAny>,
    #[serde(rename = "heartbeatFingerprint", default)]
    _fingerprint: i32,
    #[serde(rename = "withoutSub", default)]
    _without_sub: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Producer<'a> {
    #[serde(rename = "groupName", borrow)]
    group: Cow<'a, str>,
}

/// What stands in braces. serde would take the same members in brackets, without their names, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        from.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Reads the whole body.
pub(super) fn check(body: &[u8], grants: &Grants) -> Result<(), Why> {
    let Object::<Heartbeat<'_>>(heartbeat) =
        serde_json::from_slice(body).map_err(|_| Why::Heartbeat)?;
    if !heartbeat.consumers.is_empty() {
        return Err(Why::Consumer);
    }
    let known =
        heartbeat.producers.iter().all(|Object(one)| grants.groups.allow(one.group.as_bytes()));
    if known { Ok(()) } else { Err(Why::Group) }
}
