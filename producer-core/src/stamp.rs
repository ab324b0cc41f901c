//! What every request carries besides its own fields: namespace, zone, stream type, signature.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Config;
use crate::has;
use crate::wire::acl::{self, Credentials};
use crate::wire::{Fields, Head, Language, SerializeType, encode_frame};

/// Encodes requests whose header is not worth a template, and those that must be signed.
pub(crate) struct Stamp {
    serialize: SerializeType,
    language: Language,
    version: i32,
    /// Fields of every request (spec §9.2).
    fields: Vec<(&'static str, String)>,
    credentials: Option<Credentials>,
    /// The namespace of old, which messages name too (`INSTANCE_ID`).
    instance: Option<String>,
    /// Whether there is nothing of all this, so that templates serve.
    blank: bool,
}

/// A request to encode, but for its fields and body.
pub(crate) struct Line<'a> {
    pub(crate) code: i32,
    pub(crate) opaque: i32,
    pub(crate) flag: i32,
    pub(crate) remark: Option<&'a str>,
}

impl Stamp {
    pub(crate) fn new(config: &Config) -> Self {
        let mut fields = Vec::new();
        if let Some(namespace) = config.namespace_v2.as_ref().filter(|name| !name.is_empty()) {
            fields.push(("nsd", String::from("true")));
            fields.push(("ns", namespace.clone()));
        }
        if config.stream_requests {
            fields.push(("ReqT", String::from("0")));
        }
        if let Some(zone) = &config.zone {
            fields.push(("__ZONE_NAME", zone.clone()));
            fields.push(("__ZONE_MODE", String::from("true")));
        }
        let instance = config.namespace.clone().filter(|name| !name.is_empty());
        let blank = fields.is_empty() && instance.is_none() && config.credentials.is_none();
        Self {
            blank,
            instance,
            serialize: config.header,
            language: Language::from_code(config.language),
            version: config.version,
            fields,
            credentials: config.credentials.clone(),
        }
    }

    /// From now on requests are signed by these, or not at all.
    pub(crate) fn set_credentials(&mut self, credentials: Option<Credentials>) {
        self.blank = self.fields.is_empty() && self.instance.is_none() && credentials.is_none();
        self.credentials = credentials;
    }

    /// Whether requests carry nothing but their own fields, so that templates serve.
    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        self.blank
    }

    /// The namespace that messages name.
    pub(crate) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// Appends a whole request to `out`, signed last, over all its fields (spec §10.1; Java adds
    /// the zone behind the signature, which breaks it).
    #[cold]
    pub(crate) fn append<'a>(
        &'a self,
        out: &mut Vec<u8>,
        line: &Line<'_>,
        mut fields: Fields<'a>,
        body: &[u8],
    ) {
        let head = Head {
            code: line.code,
            language: self.language,
            version: self.version,
            opaque: line.opaque,
            flag: line.flag,
            remark: line.remark,
        };
        for (name, value) in &self.fields {
            fields.push(*name, Cow::Borrowed(&**value));
        }
        let signed = match self.credentials.as_ref().filter(|_| has::SIGNING) {
            Some(credentials) => acl::sign(fields, credentials, body),
            None => Ok(fields),
        };
        let encoded = signed.and_then(|fields| {
            encode_frame(out, self.serialize.allowed(), &head, fields.iter(), body)
        });
        // Credentials, properties and bodies were checked when they were set.
        debug_assert!(encoded.is_ok(), "{encoded:?}");
    }
}
