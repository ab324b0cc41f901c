//! What was asked, and what goes back?

use std::net::SocketAddr;

use producer_core::wire::{
    Fields, Frame, Head, Header, Language, SerializeType, WireError, encode_frame,
};

use super::{ConnId, Release};

/// One request as it came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) conn: ConnId,
    pub(crate) serialize: SerializeType,
    pub(crate) header: Header<'a>,
    pub(crate) body: &'a [u8],
    /// Who asks; `None` if nobody but ourselves could.
    pub(crate) peer: Option<SocketAddr>,
}

impl<'a> Request<'a> {
    pub(crate) fn decode(
        conn: ConnId,
        peer: Option<SocketAddr>,
        frame: &Frame<'a>,
    ) -> Result<Self, WireError> {
        let header = Header::decode(frame.serialize, frame.header)?;
        Ok(Self { conn, serialize: frame.serialize, header, body: frame.body, peer })
    }

    /// Where and how the answer goes.
    pub(crate) const fn ticket(&self) -> Ticket {
        Ticket {
            conn: self.conn,
            serialize: self.serialize,
            opaque: self.header.opaque,
            one_way: self.header.is_one_way(),
        }
    }
}

/// What is needed to answer a request when its bytes are gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) conn: ConnId,
    pub(crate) serialize: SerializeType,
    pub(crate) opaque: i32,
    pub(crate) one_way: bool,
}

/// An answer before it has a request id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) remark: Option<String>,
    pub(crate) fields: Fields<'static>,
    pub(crate) body: Vec<u8>,
    /// Written in the server's own form by 4.9.7 too (spec §1.2).
    pub(crate) own_form: bool,
}

impl Answer {
    /// Success without anything to say.
    pub(crate) fn ok() -> Self {
        Self::default()
    }

    /// Success with ext fields.
    pub(crate) fn fields(fields: Fields<'static>) -> Self {
        Self { fields, ..Self::default() }
    }

    /// An error.
    pub(crate) fn error(code: i32, remark: impl Into<String>) -> Self {
        Self { code, remark: Some(remark.into()), ..Self::default() }
    }

    /// An error made outside the request's own handler.
    pub(crate) fn outside(code: i32, remark: impl Into<String>) -> Self {
        Self { own_form: true, ..Self::error(code, remark) }
    }

    /// The answer to a code that the node does not know.
    pub(crate) fn not_supported(code: i32) -> Self {
        let not_supported = producer_core::wire::code::response::REQUEST_CODE_NOT_SUPPORTED;
        Self::outside(not_supported, format!(" request type {code} not supported"))
    }

    /// The answer to a request whose fields make no sense; Java names its exception here.
    pub(crate) fn bad_request(error: WireError) -> Self {
        Self::outside(producer_core::wire::code::response::SYSTEM_ERROR, error.to_string())
    }
}

/// In which form a node writes its answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerForm {
    pub(crate) release: Release,
    /// The node's own serialize type.
    pub(crate) own: SerializeType,
}

impl AnswerForm {
    /// Appends the answer. One that does not fit a frame is left out, as if it were lost.
    pub(crate) fn write(self, out: &mut Vec<u8>, ticket: &Ticket, answer: &Answer) {
        let serialize = match self.release {
            Release::V4_9_7 if !answer.own_form => ticket.serialize,
            Release::V4_9_7 | Release::V5_4_0 => self.own,
        };
        let head = Head {
            code: answer.code,
            language: Language::JAVA,
            version: self.release.version(),
            opaque: ticket.opaque,
            flag: Head::RESPONSE,
            remark: answer.remark.as_deref(),
        };
        let lost = encode_frame(out, serialize, &head, answer.fields.iter(), &answer.body);
        debug_assert!(lost.is_ok(), "an answer fits a frame: {lost:?}");
    }
}

/// Fields that outlive what they were read from.
pub(crate) fn owned(fields: &Fields<'_>) -> Fields<'static> {
    let mut owned = Fields::new();
    for (name, value) in fields.iter() {
        owned.push(name.to_owned(), value.to_owned());
    }
    owned
}
