//! What do the bytes between a producer and a node say?

use std::collections::BTreeMap;

use producer_core::wire::code::request as ask;
use producer_core::wire::frame::{self, FRAME_BYTES_MAX};
use producer_core::wire::route::TopicRouteData;
use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{Header, batch, perm, properties, property_names};

/// Reads along on one connection.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    out: Vec<u8>,
    back: Vec<u8>,
    /// Topics whose routes were asked for, by request id.
    routes: BTreeMap<i32, String>,
    /// An answer was not a frame: nothing after it can be read.
    pub(crate) garbled: bool,
}

/// What a producer asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) opaque: i32,
    pub(crate) topic: String,
    pub(crate) queue_id: i32,
    pub(crate) message_id: String,
}

/// What it was answered.
#[derive(Debug)]
pub(crate) enum Told {
    Answer { opaque: i32, code: i32 },
    Route { asked: i32, topic: String, writable: Vec<(String, i32)> },
}

impl Tap {
    /// The requests to store whose last byte is in `bytes`.
    pub(crate) fn sent(&mut self, bytes: &[u8]) -> Vec<Asked> {
        self.out.extend_from_slice(bytes);
        let mut asked = Vec::new();
        let mut used = 0;
        while let Ok(Some(frame)) = frame::split(&self.out[used..], FRAME_BYTES_MAX) {
            used += frame.len;
            let Ok(header) = Header::decode(frame.serialize, frame.header) else { continue };
            if header.code == ask::GET_ROUTEINFO_BY_TOPIC {
                let topic = header.ext.text("topic").unwrap_or_default();
                self.routes.insert(header.opaque, topic);
            }
            let Some(form) = SendForm::of_code(header.code).filter(|_| !header.is_response())
            else {
                continue;
            };
            let Ok(send) = SendRequest::from_ext(form, &header.ext) else { continue };
            asked.extend(ids(&send, frame.body).map(|message_id| Asked {
                opaque: header.opaque,
                topic: send.topic.clone().into_owned(),
                queue_id: send.queue_id,
                message_id,
            }));
        }
        self.out.drain(..used);
        asked
    }

    /// The answers whose last byte is in `bytes`.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Vec<Told> {
        self.back.extend_from_slice(bytes);
        let mut told = Vec::new();
        let mut used = 0;
        loop {
            let frame = match frame::split(&self.back[used..], FRAME_BYTES_MAX) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => {
                    self.garbled = true;
                    break;
                }
            };
            used += frame.len;
            let Ok(header) = Header::decode(frame.serialize, frame.header) else {
                self.garbled = true;
                break;
            };
            if !header.is_response() {
                continue;
            }
            match self.routes.remove(&header.opaque) {
                Some(topic) if header.code == 0 => {
                    if let Ok(route) = TopicRouteData::decode(frame.body) {
                        let (asked, writable) = (header.opaque, writable(&route));
                        told.push(Told::Route { asked, topic, writable });
                    }
                }
                Some(_) => {}
                None => told.push(Told::Answer { opaque: header.opaque, code: header.code }),
            }
        }
        self.back.drain(..used);
        told
    }
}

/// The ids of the messages in a request.
fn ids<'r>(send: &'r SendRequest<'_>, body: &'r [u8]) -> impl Iterator<Item = String> + 'r {
    let id = |text: &str| {
        let id = properties::get(text, property_names::UNIQ_CLIENT_MESSAGE_ID_KEYIDX);
        id.unwrap_or_default().to_owned()
    };
    let together = send.batch == Some(true);
    let members = batch::members(if together { body } else { &[] });
    let alone = (!together).then(|| id(send.properties.as_deref().unwrap_or("")));
    members.filter_map(Result::ok).map(move |member| id(&member.properties)).chain(alone)
}

/// Where a route allows to write: the master's address, and how many queues. An order configuration
/// says so alone, as for Java's producers.
fn writable(route: &TopicRouteData) -> Vec<(String, i32)> {
    if let Some(conf) = route.order_topic_conf.as_deref().filter(|conf| !conf.is_empty()) {
        let parts = conf.split(';').filter_map(|part| {
            let (name, queues) = part.split_once(':')?;
            let broker = route.brokers.iter().find(|b| b.broker_name == name)?;
            Some((broker.address(0)?.to_owned(), queues.parse().ok()?))
        });
        return parts.collect();
    }
    let queues = route.queues.iter().filter(|queues| perm::is_writable(queues.perm));
    queues
        .filter_map(|queues| {
            let broker = route.brokers.iter().find(|b| b.broker_name == queues.broker_name)?;
            Some((broker.address(0)?.to_owned(), queues.write_queue_nums))
        })
        .collect()
}
