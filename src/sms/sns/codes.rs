//! The error codes of SNS, of STS and of all AWS services, as classes.

use crate::sms::error::Class;

const THROTTLED: Class = Class::Throttled { retry_after: None };

/// Codes and what they mean to whoever wants to send; some services end theirs in `Exception`.
const CODES: &[(&str, Class)] = &[
    // About the number.
    ("OptedOut", Class::Blocked),
    // About the pace.
    ("KMSThrottling", THROTTLED),
    ("LimitExceeded", THROTTLED),
    ("RequestLimitExceeded", THROTTLED),
    ("Throttled", THROTTLED),
    ("Throttling", THROTTLED),
    ("TooManyRequests", THROTTLED),
    // About us.
    ("AccessDenied", Class::Misconfigured),
    ("AuthorizationError", Class::Misconfigured),
    ("ExpiredToken", Class::Misconfigured),
    ("IncompleteSignature", Class::Misconfigured),
    ("InvalidAction", Class::Misconfigured),
    ("InvalidClientTokenId", Class::Misconfigured),
    ("InvalidSecurity", Class::Misconfigured),
    ("MissingAuthenticationToken", Class::Misconfigured),
    ("OptInRequired", Class::Misconfigured),
    ("RequestExpired", Class::Misconfigured),
    ("SignatureDoesNotMatch", Class::Misconfigured),
    ("UnrecognizedClient", Class::Misconfigured),
    ("UserError", Class::Misconfigured),
    ("Validation", Class::Misconfigured),
    // About them. They say that they have not begun; what they do not say so of may have happened.
    ("ServiceUnavailable", Class::Down),
    ("InternalError", Class::Unknown),
    ("InternalFailure", Class::Unknown),
];

/// Codes that mean the number when the text beside them names its parameter, and us when not.
const PARAMETERS: [&str; 3] = [
    "InvalidParameter",
    "InvalidParameterValue",
    "ParameterValueInvalid",
];

/// What `code` means in `text`, the whole answer; `None` for one that says nothing more than the
/// answer's status.
pub fn class(code: &str, text: &str) -> Option<Class> {
    let code = code.strip_suffix("Exception").unwrap_or(code);
    if PARAMETERS.contains(&code) {
        return Some(if text.contains("PhoneNumber") {
            Class::InvalidNumber
        } else {
            Class::Misconfigured
        });
    }
    let mut codes = CODES.iter();
    codes
        .find(|(name, _)| *name == code)
        .map(|(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_with_and_without_its_ending() {
        for (code, expected) in [
            ("OptedOut", Class::Blocked),
            ("Throttling", THROTTLED),
            ("ThrottledException", THROTTLED),
            ("AuthorizationError", Class::Misconfigured),
            ("AuthorizationErrorException", Class::Misconfigured),
            ("SignatureDoesNotMatch", Class::Misconfigured),
            ("ServiceUnavailable", Class::Down),
            ("InternalError", Class::Unknown),
        ] {
            assert_eq!(class(code, ""), Some(expected), "{code}");
        }
        assert_eq!(class("Exception", ""), None);
        assert_eq!(class("SomethingNew", ""), None);
    }

    #[test]
    fn a_wrong_parameter_is_the_number_or_one_of_ours() {
        let of = |text| class("InvalidParameter", text);
        let number = "Invalid parameter: PhoneNumber Reason: +1 is not valid to publish to";
        assert_eq!(of(number), Some(Class::InvalidNumber));
        assert_eq!(
            of("Invalid parameter: SenderID"),
            Some(Class::Misconfigured)
        );
    }
}
