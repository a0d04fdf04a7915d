//! What kinds of numbers there are, as libphonenumber's tables tell them apart; knows nothing of who may be sent to.

use std::{fmt, str::FromStr};

use rlibphonenumber::PhoneNumberType;

/// A kind of number that can be told from others by its digits. Where they do not tell a mobile
/// phone from a fixed line, as in North America, a number is of neither kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    FixedLine,
    Mobile,
    TollFree,
    PremiumRate,
    SharedCost,
    Voip,
    Personal,
    Pager,
    /// Of a company, whoever picks up.
    Uan,
    Voicemail,
}

/// The text names no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no kind of number")]
pub struct UnknownKind;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FixedLine,
        Self::Mobile,
        Self::TollFree,
        Self::PremiumRate,
        Self::SharedCost,
        Self::Voip,
        Self::Personal,
        Self::Pager,
        Self::Uan,
        Self::Voicemail,
    ];

    /// As it is written in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FixedLine => "fixed_line",
            Self::Mobile => "mobile",
            Self::TollFree => "toll_free",
            Self::PremiumRate => "premium_rate",
            Self::SharedCost => "shared_cost",
            Self::Voip => "voip",
            Self::Personal => "personal",
            Self::Pager => "pager",
            Self::Uan => "uan",
            Self::Voicemail => "voicemail",
        }
    }

    pub(super) const fn of(kind: PhoneNumberType) -> Option<Self> {
        match kind {
            PhoneNumberType::FixedLine => Some(Self::FixedLine),
            PhoneNumberType::Mobile => Some(Self::Mobile),
            PhoneNumberType::TollFree => Some(Self::TollFree),
            PhoneNumberType::PremiumRate => Some(Self::PremiumRate),
            PhoneNumberType::SharedCost => Some(Self::SharedCost),
            PhoneNumberType::VoIP => Some(Self::Voip),
            PhoneNumberType::PersonalNumber => Some(Self::Personal),
            PhoneNumberType::Pager => Some(Self::Pager),
            PhoneNumberType::UAN => Some(Self::Uan),
            PhoneNumberType::VoiceMail => Some(Self::Voicemail),
            PhoneNumberType::FixedLineOrMobile | PhoneNumberType::Unknown => None,
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
