//! Did a broker refuse because of who asks, or because of what they may?
//!
//! Brokers say both with a code that stands for other things too: 4.9 and 5.x up to 5.2 with 1
//! and the text of an `AclException`, 5.3 and later with 16. Only the remark tells
//! (`PlainPermissionManager.java`, `AuthenticationEvaluator.java`, `AuthorizationEvaluator.java`;
//! texts as recorded in the golden frames).

use alloc::string::String;

use crate::error::ErrorKind;
use crate::say::says;
use crate::wire::code::response;

/// What an access control said, if it was one.
pub(crate) fn denial(code: i32, remark: &str) -> Option<ErrorKind> {
    if planted!(DenialUnread) {
        return None;
    }
    let about_credentials = match code {
        response::SYSTEM_ERROR if says(remark, "AclException") => {
            OLD_CREDENTIALS.iter().any(|said| says(remark, said))
        }
        response::NO_PERMISSION if NEW_CREDENTIALS.iter().any(|said| says(remark, said)) => true,
        response::NO_PERMISSION if says(remark, "has no permission") => false,
        _ => return None,
    };
    let remark = String::from(remark);
    Some(match about_credentials {
        true => ErrorKind::BadCredentials { remark },
        false => ErrorKind::NotPermitted { remark },
    })
}

/// What 4.9 says about credentials; all else of an `AclException` is about permissions.
const OLD_CREDENTIALS: [&str; 4] =
    ["No accessKey is configured", "No acl config for", "Check signature failed", "SecurityToken"];

/// What 5.3 and later say about credentials.
const NEW_CREDENTIALS: [&str; 4] =
    ["check signature failed", "username cannot be null", "is not found.", "is disabled."];

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(code: i32, remark: &str) -> Option<&'static str> {
        denial(code, remark).map(|kind| kind.code())
    }

    /// The planted bug `DenialUnread` makes this fail.
    #[test]
    fn both_generations_of_access_control_are_understood() {
        let old = |text: &str| {
            let class = "org.apache.rocketmq.acl.common.AclException";
            code_of(1, &alloc::format!("{class}: {text}, {class}(PlainPermissionManager.java:1)"))
        };
        assert_eq!(old("No accessKey is configured"), Some("bad_credentials"));
        assert_eq!(old("No acl config for ak"), Some("bad_credentials"));
        assert_eq!(old("Check signature failed for accessKey=ak"), Some("bad_credentials"));
        assert_eq!(old("No default permission for topic:t"), Some("not_permitted"));
        for said in ["check signature failed.", "username cannot be null.", "User:u is not found."]
        {
            assert_eq!(code_of(16, said), Some("bad_credentials"), "{said}");
        }
        let denied =
            "User:u has no permission to access Topic:t from 1.2.3.4, no matched policies.";
        assert_eq!(code_of(16, denied), Some("not_permitted"));
    }

    #[test]
    fn what_access_control_did_not_say_is_no_denial() {
        for (code, remark) in [
            (1, "the broker's message store is full"),
            (16, "the broker[10.0.0.1] sending message is forbidden"),
            (16, "recall failed, operation is forbidden"),
            (14, "AclException"),
        ] {
            assert_eq!(denial(code, remark), None, "{remark}");
        }
    }
}
