//! The texts that come along, and which of them a country understands. Each fits one piece of a message, with a short sender.

use super::Locale;
use crate::domain::phone::CallingCode;

/// Texts by language, in the order of the tags.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "ar",
        "{code} هو رمز {sender} الخاص بك. صالح لمدة {minutes} دقيقة.",
    ),
    (
        "cs",
        "{code} je váš kód pro {sender}. Platí {minutes} minut.",
    ),
    (
        "da",
        "{code} er din kode til {sender}. Den gælder i {minutes} minutter.",
    ),
    (
        "de",
        "{code} ist Ihr Code für {sender}. Er gilt {minutes} Minuten.",
    ),
    (
        "el",
        "{code}: ο κωδικός σας για {sender}. Ισχύει {minutes} λεπτά.",
    ),
    (
        "en",
        "{code} is your {sender} code. It is valid for {minutes} minutes.",
    ),
    (
        "es",
        "{code} es su código de {sender}. Válido {minutes} minutos.",
    ),
    (
        "fi",
        "{code} on {sender}-koodisi. Se on voimassa {minutes} minuuttia.",
    ),
    (
        "fr",
        "{code} est votre code {sender}. Il est valable {minutes} minutes.",
    ),
    (
        "he",
        "{code} הוא הקוד שלך ל-{sender}. בתוקף {minutes} דקות.",
    ),
    (
        "hi",
        "{code} आपका {sender} कोड है। यह {minutes} मिनट तक मान्य है।",
    ),
    (
        "hu",
        "{code} az Ön {sender} kódja. {minutes} percig érvényes.",
    ),
    (
        "id",
        "{code} adalah kode {sender} Anda. Berlaku {minutes} menit.",
    ),
    (
        "it",
        "{code} è il tuo codice {sender}, valido per {minutes} minuti.",
    ),
    (
        "ja",
        "{code} は {sender} の認証コードです。{minutes}分間有効です。",
    ),
    (
        "ko",
        "{code} {sender} 인증번호입니다. {minutes}분 동안 유효합니다.",
    ),
    (
        "nb",
        "{code} er koden din for {sender}. Den gjelder i {minutes} minutter.",
    ),
    (
        "nl",
        "{code} is je code voor {sender}. Hij is {minutes} minuten geldig.",
    ),
    (
        "pl",
        "{code} to Twój kod {sender}. Jest ważny {minutes} min.",
    ),
    (
        "pt",
        "{code} é o seu código {sender}. Válido por {minutes} minutos.",
    ),
    (
        "ro",
        "{code} este codul tău {sender}. Este valabil {minutes} min.",
    ),
    ("ru", "{code} — ваш код {sender}. Действует {minutes} мин."),
    (
        "sv",
        "{code} är din kod för {sender}. Den gäller i {minutes} minuter.",
    ),
    ("th", "{code} คือรหัส {sender} ของคุณ ใช้ได้ {minutes} นาที"),
    (
        "tr",
        "{code}, {sender} kodunuz. {minutes} dakika geçerlidir.",
    ),
    ("uk", "{code} — ваш код {sender}. Діє {minutes} хв."),
    (
        "vi",
        "{code} là mã {sender} của bạn. Có hiệu lực {minutes} phút.",
    ),
    (
        "zh",
        "{code} 是您的 {sender} 验证码，{minutes} 分钟内有效。",
    ),
    (
        "zh-Hant",
        "{code} 是您的 {sender} 驗證碼，{minutes} 分鐘內有效。",
    ),
];

/// The language of most people by calling code, in the order of the codes; where it is not clear,
/// none, and the default of the gateway speaks.
const COUNTRIES: &[(u16, &str)] = &[
    (7, "ru"),
    (20, "ar"),
    (30, "el"),
    (31, "nl"),
    (33, "fr"),
    (34, "es"),
    (36, "hu"),
    (39, "it"),
    (40, "ro"),
    (43, "de"),
    (44, "en"),
    (45, "da"),
    (46, "sv"),
    (47, "nb"),
    (48, "pl"),
    (49, "de"),
    (51, "es"),
    (52, "es"),
    (53, "es"),
    (54, "es"),
    (55, "pt"),
    (56, "es"),
    (57, "es"),
    (58, "es"),
    (61, "en"),
    (62, "id"),
    (64, "en"),
    (66, "th"),
    (81, "ja"),
    (82, "ko"),
    (84, "vi"),
    (86, "zh"),
    (90, "tr"),
    (212, "ar"),
    (213, "ar"),
    (216, "ar"),
    (218, "ar"),
    (351, "pt"),
    (353, "en"),
    (358, "fi"),
    (373, "ro"),
    (375, "ru"),
    (380, "uk"),
    (420, "cs"),
    (423, "de"),
    (502, "es"),
    (503, "es"),
    (504, "es"),
    (505, "es"),
    (506, "es"),
    (507, "es"),
    (591, "es"),
    (593, "es"),
    (595, "es"),
    (598, "es"),
    (852, "zh-Hant"),
    (853, "zh-Hant"),
    (886, "zh-Hant"),
    (961, "ar"),
    (962, "ar"),
    (963, "ar"),
    (964, "ar"),
    (965, "ar"),
    (966, "ar"),
    (967, "ar"),
    (968, "ar"),
    (971, "ar"),
    (972, "he"),
    (973, "ar"),
    (974, "ar"),
];

/// The language of a country.
pub fn language(country: CallingCode) -> Option<Locale> {
    let code = country.number();
    let at = COUNTRIES
        .binary_search_by_key(&code, |(code, _)| *code)
        .ok()?;
    COUNTRIES.get(at)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::wording::{
        Length,
        template::{Filling, Template},
    };

    #[test]
    fn both_tables_are_in_order_and_lead_from_one_to_the_other() {
        assert!(TEXTS.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(COUNTRIES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (code, language) in COUNTRIES {
            let country: CallingCode = code.to_string().parse().expect("a country");
            assert_eq!(
                super::language(country).map(|l| l.to_string()).as_deref(),
                Some(*language)
            );
            assert!(TEXTS.iter().any(|(tag, _)| tag == language), "{language}");
        }
    }

    #[test]
    fn every_text_fits_one_piece_with_the_longest_code() {
        for (language, text) in TEXTS {
            let template =
                Template::parse(text).unwrap_or_else(|error| panic!("{language}: {error}"));
            let filled = template.fill(Filling {
                code: "0123456789",
                minutes: 60,
                sender: "otp-gateway",
            });
            assert_eq!(Length::of(&filled).segments, 1, "{language}: {filled}");
            for word in ["0123456789", "60", "otp-gateway"] {
                assert_eq!(filled.matches(word).count(), 1, "{language}: {word}");
            }
        }
    }

    #[test]
    fn tags_are_in_their_canonical_form() {
        for (tag, _) in TEXTS {
            assert_eq!(tag.parse::<Locale>().unwrap().as_str(), *tag);
        }
    }
}
