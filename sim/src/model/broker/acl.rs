//! Who may do what? Signatures and permissions as 4.9.7 (`PlainPermissionManager.java`) and 5.4.0
//! (`DefaultAuthorizationContextBuilder.java`) look at them.
//!
//! Of what they protect, this is what a producer meets: topics. Groups of consumers are not looked
//! at.

use producer_core::wire::acl::signature_of_request;
use producer_core::wire::code::{request as ask, response};
use producer_core::wire::version;

use super::super::Release;
use super::super::answer::{Answer, Request};
use super::topics::{RETRY_PREFIX, is_internal};
use super::{Broker, replica};

/// Somebody whom a broker knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The account's name, sent with each request.
    pub access_key: String,
    /// What requests are signed with.
    pub secret_key: String,
    /// May do all that there is to do.
    pub admin: bool,
    /// Topics that it may send to; `*` for all.
    pub publish: Vec<String>,
    /// Topics that it may read; `*` for all.
    pub subscribe: Vec<String>,
}

/// What a request does to what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Publish,
    Subscribe,
    /// What only admins may do.
    Administer,
}

impl Broker {
    /// Whether a request may be carried out.
    pub(super) fn authorize(&self, request: &Request<'_>) -> Result<(), Answer> {
        let Some(accounts) = &self.config.accounts else { return Ok(()) };
        let code = request.header.code;
        if code == replica::COPY_LOG {
            return Ok(());
        }
        let ext = &request.header.ext;
        let Some(key) = ext.text("AccessKey").filter(|key| !key.trim().is_empty()) else {
            return Err(self.unknown(
                "No accessKey is configured",
                663,
                "username cannot be null.",
            ));
        };
        let Some(account) = accounts.iter().find(|account| account.access_key == key) else {
            let old = format!("No acl config for {key}");
            return Err(self.unknown(&old, 667, &format!("User:{key} is not found.")));
        };
        if !self.is_signed_by(request, account) {
            let old = format!("Check signature failed for accessKey={key}");
            return Err(self.unknown(&old, 683, "check signature failed."));
        }
        let Some((action, topic)) = self.needs(request) else { return Ok(()) };
        if account.admin || account.may(action, &topic) {
            return Ok(());
        }
        Err(self.forbidden(request, &key, action, &topic))
    }

    /// Whether the fields and the body are what the account has signed.
    fn is_signed_by(&self, request: &Request<'_>, account: &Account) -> bool {
        let keeps_flag = match self.config.release {
            Release::V4_9_7 => false,
            Release::V5_4_0 => request.header.version > OLD_QUERIES,
        };
        let fields: Vec<(String, String)> = request
            .header
            .ext
            .iter()
            .map(|(name, value)| (name.to_cow().into_owned(), value.to_cow().into_owned()))
            .filter(|(name, _)| keeps_flag || name != "_UNIQUE_KEY_QUERY")
            .collect();
        let fields = fields.iter().map(|(name, value)| (&**name, &**value));
        let right = signature_of_request(fields, &account.secret_key, request.body);
        right.is_ok_and(|right| request.header.ext.text("Signature") == Some(right))
    }

    /// What a request does, and to which topic; `None` if a signature is enough.
    fn needs(&self, request: &Request<'_>) -> Option<(Action, String)> {
        let newer = self.config.release == Release::V5_4_0;
        let ext = &request.header.ext;
        let (action, topic) = match request.header.code {
            ask::SEND_MESSAGE => (Action::Publish, ext.text("topic")),
            ask::SEND_MESSAGE_V2 | ask::SEND_BATCH_MESSAGE => (Action::Publish, ext.text("b")),
            ask::END_TRANSACTION | ask::RECALL_MESSAGE if newer => {
                (Action::Publish, ext.text("topic"))
            }
            ask::PULL_MESSAGE | ask::QUERY_MESSAGE => (Action::Subscribe, ext.text("topic")),
            ask::GET_MAX_OFFSET
            | ask::GET_MIN_OFFSET
            | ask::SEARCH_OFFSET_BY_TIMESTAMP
            | ask::GET_EARLIEST_MSG_STORETIME
                if newer =>
            {
                (Action::Subscribe, ext.text("topic"))
            }
            ask::UPDATE_AND_CREATE_TOPIC => (Action::Administer, ext.text("topic")),
            ask::UPDATE_BROKER_CONFIG => (Action::Administer, Some(String::new())),
            _ => return None,
        };
        // The end that follows a check names the topic of half messages.
        let topic = topic.filter(|topic| !is_internal(topic))?;
        (!topic.starts_with(RETRY_PREFIX)).then_some((action, topic))
    }

    /// The answer to who is not known.
    fn unknown(&self, old: &str, line: u32, new: &str) -> Answer {
        match self.config.release {
            Release::V4_9_7 => {
                let frame = format!("validate(PlainPermissionManager.java:{line})");
                old_refusal(old, &frame)
            }
            Release::V5_4_0 => Answer::outside(response::NO_PERMISSION, new),
        }
    }

    /// The answer to who may not.
    fn forbidden(&self, request: &Request<'_>, key: &str, action: Action, topic: &str) -> Answer {
        if self.config.release == Release::V4_9_7 {
            let code = request.header.code;
            let (text, frame) = match action {
                Action::Administer => (
                    format!(
                        "Need admin permission for request code={code}, but accessKey={key} is not"
                    ),
                    "checkPerm(PlainPermissionManager.java)",
                ),
                Action::Publish | Action::Subscribe => (
                    format!("No default permission for topic:{topic}"),
                    "checkPerm(PlainPermissionManager.java:605)",
                ),
            };
            return old_refusal(&text, frame);
        }
        let resource = match topic {
            "" => format!("Cluster:{}", self.config.cluster),
            topic => format!("Topic:{topic}"),
        };
        let from = request.peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        let remark = format!(
            "User:{key} has no permission to access {resource} from {from}, no matched policies."
        );
        Answer::outside(response::NO_PERMISSION, remark)
    }
}

impl Account {
    fn may(&self, action: Action, topic: &str) -> bool {
        let topics = match action {
            Action::Publish => &self.publish,
            Action::Subscribe => &self.subscribe,
            Action::Administer => return false,
        };
        topics.iter().any(|one| one == topic || one == "*")
    }
}

fn old_refusal(text: &str, frame: &str) -> Answer {
    let manager = "org.apache.rocketmq.acl.plain.PlainPermissionManager";
    let exception = "org.apache.rocketmq.acl.common.AclException";
    Answer::outside(response::SYSTEM_ERROR, format!("{exception}: {text}, {manager}.{frame}"))
}

/// Clients up to this version do not sign the flag of a query by unique key (spec §10.1).
const OLD_QUERIES: i32 = version::ordinal(4, 9, 3);
