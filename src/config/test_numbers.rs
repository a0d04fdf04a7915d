//! `[[otp.test_numbers]]`: numbers that get no message and always the same code, until a day and from some networks; knows not how they are answered.

use toml::value::{Date, Datetime, Offset, Time};

use crate::{
    auth::TestNumber,
    clock::Timestamp,
    config::{document::Section, item::Item, problem::Reported, value::Value},
    domain::{
        otp::{Code, Length},
        phone::{CallingCode, Phone},
    },
};

/// Every test number. A code has as many digits as all others, a number without `+` belongs to
/// `country`; when either is not known, what needs it is not judged.
pub fn test_numbers(
    otp: &Section<'_>,
    length: Result<Length, Reported>,
    country: Result<CallingCode, Reported>,
) -> Result<Vec<TestNumber>, Reported> {
    let sections = otp.sections("test_numbers");
    let read: Vec<_> = sections
        .iter()
        .map(|section| test_number(section, length, country))
        .collect();
    let numbers: Vec<_> = read.into_iter().collect::<Result<_, _>>()?;
    let mut verdict = Ok(());
    for (at, (section, number)) in sections.iter().zip(&numbers).enumerate() {
        if numbers
            .iter()
            .take(at)
            .any(|earlier| earlier.phone == number.phone)
        {
            verdict = Err(section.refuse("number", "stands here for the second time", None));
        }
    }
    verdict.map(|()| numbers)
}

fn test_number(
    section: &Section<'_>,
    length: Result<Length, Reported>,
    country: Result<CallingCode, Reported>,
) -> Result<TestNumber, Reported> {
    let number: Result<String, _> = section.require("number", r#""+15550001111""#);
    let code: Result<SecretText, _> = section.require("code", r#""123456""#);
    let until = section.require("until", "2030-12-31");
    let networks = section.read("networks", "[]");
    let phone = number.and_then(|number| {
        Phone::parse(&number, country?).map_err(|why| section.refuse("number", why, None))
    });
    let code = code.and_then(|SecretText(code)| {
        Code::parse(&code, length?).map_err(|why| section.refuse("code", why, None))
    });
    let Until(until) = until?;
    Ok(TestNumber {
        phone: phone?,
        code: code?,
        until,
        networks: networks?,
    })
}

/// A text that no problem repeats.
struct SecretText(String);

/// A moment; a day without a time stands for its end, in UTC.
struct Until(Timestamp);

impl Value for SecretText {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        let text = item.text("a string of digits")?;
        Ok(Self(text.to_owned()))
    }
}

impl Value for Until {
    fn read(item: &Item<'_>) -> Result<Self, Reported> {
        const EXPECTED: &str = "a date such as 2030-12-31 or 2030-12-31T18:00:00Z";
        let written = item.value().as_str().map(str::parse);
        let date = match (item.value().as_datetime(), written) {
            (Some(date), _) => *date,
            (None, Some(Ok(date))) => date,
            (None, Some(Err(_)) | None) => return Err(item.expected(EXPECTED)),
        };
        let moment = moment(&date);
        moment.map(Self).ok_or_else(|| {
            item.refuse(
                format!("expected {EXPECTED}, found a time without a day or an offset"),
                None,
            )
        })
    }
}

/// The moment that `written` names, if it names one.
fn moment(written: &Datetime) -> Option<Timestamp> {
    let day = 86_400 * days_since_epoch(written.date?);
    let secs = match (written.time, written.offset) {
        (None, None) => day + 86_400,
        (Some(time), Some(Offset::Z)) => day + seconds(time),
        (Some(time), Some(Offset::Custom { minutes })) => {
            day + seconds(time) - 60 * i64::from(minutes)
        }
        (Some(_), None) | (None, Some(_)) => return None,
    };
    // Before 1970 or at its beginning is the same: long ago.
    Some(Timestamp::from_secs(u64::try_from(secs).unwrap_or(0)))
}

fn seconds(time: Time) -> i64 {
    let second = i64::from(time.second.unwrap_or(0));
    i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + second
}

/// Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap
/// day is the last one of its year.
fn days_since_epoch(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str) -> Option<u64> {
        moment(&text.parse().expect(text)).map(Timestamp::as_secs)
    }

    #[test]
    fn a_moment_is_counted_from_1970() {
        assert_eq!(secs("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(secs("2001-09-09T01:46:40Z"), Some(1_000_000_000));
        assert_eq!(secs("2033-05-18T03:33:20Z"), Some(2_000_000_000));
        assert_eq!(secs("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(secs("2100-03-01T00:00:00Z"), Some(4_107_542_400));
    }

    #[test]
    fn an_offset_is_taken_off() {
        assert_eq!(secs("2001-09-09T03:46:40+02:00"), Some(1_000_000_000));
        assert_eq!(secs("2001-09-08T20:46:40-05:00"), Some(1_000_000_000));
    }

    #[test]
    fn a_day_ends_when_the_next_one_begins() {
        assert_eq!(secs("2030-12-31"), secs("2031-01-01T00:00:00Z"));
        assert_eq!(secs("1969-06-01"), Some(0));
    }

    #[test]
    fn a_time_that_is_no_moment_is_not_guessed() {
        assert_eq!(secs("2030-12-31T18:00:00"), None);
        assert_eq!(secs("18:00:00"), None);
    }

    #[test]
    fn every_day_is_one_longer_than_the_one_before() {
        let mut yesterday = days_since_epoch(Date {
            year: 1969,
            month: 12,
            day: 31,
        });
        for year in 1970..2110_u16 {
            for month in 1..=12_u8 {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let days = match month {
                    2 => 28 + u8::from(leap),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for day in 1..=days {
                    let today = days_since_epoch(Date { year, month, day });
                    assert_eq!(today, yesterday + 1, "{year}-{month}-{day}");
                    yesterday = today;
                }
            }
        }
    }
}
