//! What of an error crosses to JavaScript?

use alloc::string::{String, ToString};

use producer_core::{Attempt, ErrorKind};

/// The response code of a broker or name server, -1 if it is none.
pub(crate) fn response_code(kind: &ErrorKind) -> i32 {
    match kind {
        ErrorKind::Broker { code, .. } | ErrorKind::NameServerRefused { code, .. } => *code,
        _ => -1,
    }
}

/// What usually helps. A page has no name servers to look after: what it is told of them says what
/// is wrong with the bridge.
pub(crate) fn hint(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NameServersUnreachable { .. } => "",
        kind => kind.hint().unwrap_or_default(),
    }
}

/// The attempts, each ended by U+0002: broker, address, queue, why this queue, phase, milliseconds,
/// outcome, code, message, with U+0001 in between.
pub(crate) fn trail(attempts: &[Attempt]) -> String {
    let mut text = String::new();
    for attempt in attempts {
        // Half a billion years fit.
        let ms = attempt.elapsed.as_millis() as u64;
        let queue = attempt.queue_id.map_or_else(String::new, |queue| queue.to_string());
        let message = attempt.kind.to_string().replace(['\u{1}', '\u{2}'], " ");
        let parts = [
            attempt.broker.as_deref().unwrap_or_default(),
            attempt.advertised.as_ref().map_or("", |address| address.as_str()),
            &queue,
            attempt.reason.map_or("", |reason| reason.as_str()),
            attempt.phase.as_str(),
            &ms.to_string(),
            attempt.outcome.as_str(),
            attempt.kind.code(),
            &message,
        ];
        text.push_str(&parts.join("\u{1}"));
        text.push('\u{2}');
    }
    text
}
