//! What does a name server answer to each request code?

use producer_core::wire::code::{request as ask, response};
use producer_core::wire::name_server::{KvRequest, KvResponse, RouteRequest};
use producer_core::wire::route::RouteJson;
use producer_core::wire::version::STRICT_ROUTE_MIN;
use producer_core::wire::{Fields, WireError};

use super::super::Instant;
use super::super::answer::{Answer, Request};
use super::{NameServer, Registration, Registry};

/// Namespace of the order configuration.
pub(super) const ORDER_NAMESPACE: &str = "ORDER_TOPIC_CONFIG";
/// DELETE_TOPIC_IN_NAMESRV.
const DELETE_TOPIC: i32 = 216;

impl NameServer {
    pub(super) fn execute(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, WireError> {
        let ext = &request.header.ext;
        match request.header.code {
            ask::GET_ROUTEINFO_BY_TOPIC => self.route(request),
            ask::GET_BROKER_CLUSTER_INFO => {
                let body = self.registry.cluster(self.config.release).encode();
                Ok(Answer { body, ..Answer::ok() })
            }
            ask::REGISTER_BROKER => self.register_broker(now, request),
            ask::UNREGISTER_BROKER => {
                let broker = ext.need_text("brokerName")?;
                self.unregister(&broker, ext.need_i64("brokerId")?);
                Ok(Answer::ok())
            }
            ask::PUT_KV_CONFIG => {
                let kv = KvRequest::from_ext(ext)?;
                self.kv.insert((kv.namespace, kv.key), kv.value.unwrap_or_default());
                Ok(Answer::ok())
            }
            ask::GET_KV_CONFIG => Ok(self.kv_get(KvRequest::from_ext(ext)?)),
            ask::DELETE_KV_CONFIG => {
                let kv = KvRequest::from_ext(ext)?;
                self.kv.remove(&(kv.namespace, kv.key));
                Ok(Answer::ok())
            }
            ask::WIPE_WRITE_PERM_OF_BROKER => {
                let count = self.registry.set_writable(&ext.need_text("brokerName")?, false);
                Ok(Answer::fields(Fields::new().show("wipeTopicCount", count)))
            }
            ask::ADD_WRITE_PERM_OF_BROKER => {
                let count = self.registry.set_writable(&ext.need_text("brokerName")?, true);
                Ok(Answer::fields(Fields::new().show("addTopicCount", count)))
            }
            DELETE_TOPIC => {
                self.registry.remove_topic(&ext.need_text("topic")?);
                Ok(Answer::ok())
            }
            // 4.9.7 says nothing at all: see `handle_frame`.
            code => Ok(Answer::not_supported(code)),
        }
    }

    fn route(&self, request: &Request<'_>) -> Result<Answer, WireError> {
        let asked = RouteRequest::from_ext(&request.header.ext)?;
        let Some(mut route) = self.registry.route(self.config.release, &asked.topic) else {
            reached!(RouteMissing);
            let topic = asked.topic;
            let help = self.config.release.help();
            let remark = format!("No topic route info in name server for the topic: {topic}{help}");
            return Ok(Answer::error(response::TOPIC_NOT_EXIST, remark));
        };
        reached!(Route);
        if self.config.acting_master {
            Registry::let_slaves_act(&mut route);
        }
        let strict = request.header.version >= STRICT_ROUTE_MIN
            || asked.accept_standard_json_only == Some(true);
        let form = if strict { RouteJson::Strict } else { RouteJson::Loose };
        if self.config.order_messages {
            let order = self.kv.get(&(ORDER_NAMESPACE.to_owned(), asked.topic));
            route.order_topic_conf = order.cloned();
        }
        Ok(Answer { body: route.encode(form), ..Answer::ok() })
    }

    fn register_broker(
        &mut self,
        now: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, WireError> {
        let registration = Registration::decode(&request.header.ext, request.body)?;
        self.take_registration(now, Some(request.conn), &registration);
        let mut fields = Fields::new();
        if registration.id != 0
            && let Some(master) = self.registry.address(&registration.broker, 0)
        {
            fields.push("haServerAddr", master.to_owned());
            fields.push("masterAddr", master.to_owned());
        }
        Ok(Answer::fields(fields))
    }

    fn kv_get(&self, asked: KvRequest) -> Answer {
        let KvRequest { namespace, key, .. } = asked;
        let remark = format!("No config item, Namespace: {namespace} Key: {key}");
        match self.kv.get(&(namespace, key)) {
            Some(value) => {
                let value = KvResponse { value: Some(value.clone()) };
                Answer::fields(Fields::new().text_opt("value", value.value))
            }
            None => Answer::error(response::QUERY_NOT_FOUND, remark),
        }
    }
}
