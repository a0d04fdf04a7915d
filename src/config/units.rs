//! How spans of time, sizes and limits are written: `"1h30m"`, `"10mb"`, `"3/30m per phone"`, `"100/s per ip"`; knows nothing of TOML.

use std::{fmt, num::NonZeroU32, time::Duration};

use crate::domain::{
    budget::Budget,
    quota::{Limit, Per, Quota},
    rate::{Counted, Rate, Whose},
};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A span of time as it is written in a configuration.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub Duration);

/// The units of time and their milliseconds, the largest first.
const TIMES: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The units of size and their bytes, the largest first.
const SIZES: [(&str, u64); 4] = [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10), ("b", 1)];

impl Size {
    /// As a length in memory; what does not fit into memory is all of it.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Reads a span of time: numbers with units, the larger units first, each at most once.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = TIMES.iter();
    let mut total = 0_u64;
    loop {
        let (number, unit, behind) = measure(rest)?;
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        if behind.is_empty() {
            return Some(Duration::from_millis(total));
        }
        rest = behind;
    }
}

/// Reads a size: one number with a unit of which each is 1024 of the one before.
pub fn size(text: &str) -> Option<Size> {
    let (number, unit, rest) = measure(text)?;
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    let size = number.checked_mul(*bytes)?;
    rest.is_empty().then_some(Size(size))
}

/// Reads a limit: how many, in which span, for whom.
pub fn limit(text: &str) -> Option<Limit> {
    let (written, per) = per(text)?;
    Some(Limit {
        quota: quota(written)?,
        per,
    })
}

/// Reads a budget: how much money, in which span, for whom.
pub fn budget(text: &str) -> Option<Budget> {
    let (written, per) = per(text)?;
    let (max, window) = written.split_once('/')?;
    Some(Budget {
        max: max.parse().ok()?,
        window: span(window)?,
        per,
    })
}

/// What stands in front of whom it is for, and who that is.
fn per(text: &str) -> Option<(&str, Per)> {
    let (written, per) = text.split_once(" per ")?;
    let mut known = [Per::Phone, Per::Ip, Per::Country, Per::All].into_iter();
    Some((written, known.find(|known| known.as_str() == per)?))
}

/// Reads a limit of the throttle: how many, in which span, how many at once, of whom, counted by whom.
pub fn rate(text: &str) -> Option<Rate> {
    let (written, whose) = text.split_once(" per ")?;
    let (whose, counted) = match whose.strip_suffix(" shared") {
        Some(whose) => (whose, Counted::Shared),
        None => (whose, Counted::Here),
    };
    let (written, burst) = match written.split_once(" burst ") {
        Some((written, burst)) => (written, Some(count(burst)?)),
        None => (written, None),
    };
    let quota = quota(written)?;
    Some(Rate {
        quota,
        whose: Whose::ALL
            .into_iter()
            .find(|known| known.as_str() == whose)?,
        burst: burst.unwrap_or(quota.max),
        counted,
    })
}

/// Reads how many in which span; of a unit alone there is one.
fn quota(text: &str) -> Option<Quota> {
    let (max, window) = text.split_once('/')?;
    Some(Quota {
        max: count(max)?,
        window: span(window)?,
    })
}

/// Reads a span that is not empty; of a unit alone there is one.
fn span(text: &str) -> Option<Duration> {
    match TIMES.iter().find(|(unit, _)| *unit == text) {
        Some((_, millis)) => Some(Duration::from_millis(*millis)),
        None => duration(text).filter(|span| !span.is_zero()),
    }
}

/// Reads a number of things, of which there is one at least.
fn count(text: &str) -> Option<NonZeroU32> {
    let (number, _) = digits(text).filter(|(_, rest)| rest.is_empty())?;
    NonZeroU32::new(u32::try_from(number).ok()?)
}

/// A number, the letters behind it, and what follows them.
fn measure(text: &str) -> Option<(u64, &str, &str)> {
    let (number, rest) = digits(text)?;
    let end = rest
        .find(|c: char| !c.is_ascii_lowercase())
        .unwrap_or(rest.len());
    let (unit, behind) = rest.split_at(end);
    Some((number, unit, behind))
}

/// The number that `text` begins with, and what follows it.
fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in TIMES {
            if left >= millis {
                write!(f, "{}{unit}", left / millis)?;
                left %= millis;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = SIZES
            .into_iter()
            .find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes))
            .unwrap_or(("b", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_of_time_are_numbers_with_units() {
        for (text, millis) in [
            ("5m", 300_000),
            ("250ms", 250),
            ("0s", 0),
            ("1h30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("90m", 5_400_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "+5m",
            "5M",
            "5m ",
            "1.5h",
            "30m1h",
            "1m1m",
            "5min",
            "1s1",
            "99999999999999999999s",
            "999999999999999999d",
            "٣m",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0b", 0),
            ("512b", 512),
            ("32kb", 32_768),
            ("10mb", 10_485_760),
            ("2gb", 1 << 31),
        ] {
            assert_eq!(size(text), Some(Size(bytes)), "{text}");
        }
        for text in [
            "",
            "10",
            "mb",
            "10 mb",
            "10MB",
            "1mb1kb",
            "1.5mb",
            "-1b",
            "99999999999gb",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn limits_say_how_many_in_which_span_for_whom() {
        let read = limit("3/30m per phone").expect("a limit");
        assert_eq!((read.quota.max.get(), read.per), (3, Per::Phone));
        assert_eq!(read.quota.window, Duration::from_mins(30));
        for text in [
            "",
            "3/30m",
            "0/30m per phone",
            "3/0s per phone",
            "3 /30m per phone",
            "3/30m per user",
            "3/30m per Phone",
            "3/30m  per phone",
            "+3/30m per phone",
            "4294967296/1h per all",
            "3x/1h per ip",
        ] {
            assert_eq!(limit(text), None, "{text}");
        }
    }

    #[test]
    fn rates_say_how_many_at_once_too() {
        let read = rate("100/s burst 500 per subject").expect("a rate");
        assert_eq!((read.quota.max.get(), read.burst.get()), (100, 500));
        assert_eq!(read.quota.window, Duration::from_secs(1));
        assert_eq!(read.whose, Whose::Subject);
        let read = rate("30/10s per ip").expect("a rate");
        assert_eq!((read.quota.max, read.whose), (read.burst, Whose::Ip));
        assert_eq!(read.quota.window, Duration::from_secs(10));
        let shared = rate("1000/h per subject shared").expect("a rate");
        assert_eq!(shared.counted, Counted::Shared);
        for text in [
            "",
            "100/s",
            "100 per ip",
            "100/ per ip",
            "0/s per ip",
            "100/0s per ip",
            "100/s per phone",
            "100/s burst per ip",
            "100/s burst 0 per ip",
            "100/s burst 5 burst 6 per ip",
            "100/s per ip burst 5",
            "100/w per ip",
            "100/s per  ip",
            "100/s shared per ip",
            "100/s per ip  shared",
            "100/s per shared",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(millis in 0..10_u64.pow(14), bytes: u64) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(duration(&Span(span).to_string()), Some(span));
            prop_assert_eq!(size(&Size(bytes).to_string()), Some(Size(bytes)));
        }

        #[test]
        fn every_limit_can_be_written(max in 1_u32.., secs in 1_u64..10_000_000, per in 0_usize..4) {
            let per = [Per::Phone, Per::Ip, Per::Country, Per::All][per];
            let quota = Quota { max: NonZeroU32::new(max).unwrap(), window: Duration::from_secs(secs) };
            let written = format!("{max}/{secs}s per {}", per.as_str());
            prop_assert_eq!(limit(&written), Some(Limit { quota, per }));
        }

        #[test]
        fn every_rate_can_be_written(
            max in 1_u32..,
            burst in 1_u32..,
            secs in 1_u64..10_000_000,
            whose in 0_usize..4,
            shared: bool,
        ) {
            let [max, burst] = [max, burst].map(|n| NonZeroU32::new(n).unwrap());
            let quota = Quota { max, window: Duration::from_secs(secs) };
            let counted = if shared { Counted::Shared } else { Counted::Here };
            let written = Rate { quota, whose: Whose::ALL[whose], burst, counted };
            prop_assert_eq!(rate(&written.to_string()), Some(written));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _read = (duration(&text), size(&text), limit(&text), rate(&text));
        }
    }
}
