//! Proof of work: puzzles that cost nothing to set and to check, and as much to solve as is wanted; knows nothing of who is suspected.
//!
//! Nothing is kept of a puzzle. It names the work it asks for and the moment until which it is taken, and carries
//! a code of ours over both, the phone and the client's network: so it is good for this phone and
//! this client alone, and for as many messages as the limits of the phone allow.
//!
//! A solution is any text of up to [`MAX_NONCE`] letters and digits such that SHA-256 of
//! `PUZZLE.NONCE` begins with the wanted number of zero bits (as in Hashcash, with one block of the
//! hash).

use std::{fmt, str::FromStr, time::Duration};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    clock::Timestamp,
    domain::{fraud::Bits, phone::Phone},
    net::peer::Client,
    secret::{Master, Masters, Purpose},
};

/// Work to be done, written `BITS.UNTIL.MAC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Puzzle {
    /// Zero bits that the hash must begin with.
    pub bits: Bits,
    /// Until when a solution is taken, in seconds.
    until: u64,
    mac: [u8; 16],
}

/// A text that is no solution of a puzzle of ours for this phone and this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// Not `PUZZLE.NONCE`.
    #[error("is not a puzzle and its solution, joined by a dot")]
    Form,
    /// Not one of ours, or for somebody else, or too old.
    #[error("solves no puzzle that was set for this number")]
    Unknown,
    /// The hash has too few zero bits.
    #[error("does not solve its puzzle")]
    Unsolved,
}

/// How long a puzzle may be worked on.
const LIFE: Duration = Duration::from_mins(5);

/// A puzzle and a nonce of this length fit into one block of SHA-256.
const MAX_NONCE: usize = 12;

impl Puzzle {
    /// Asks `client`, who wants a message for `phone`, for so much work.
    pub fn set(
        master: &Master,
        phone: &Phone,
        client: &Client,
        bits: Bits,
        now: Timestamp,
    ) -> Self {
        let until = (now + LIFE).as_secs();
        let mac = mac(master, phone, client, bits, until);
        Self { bits, until, mac }
    }

    /// For how much longer it can be solved.
    pub fn expires_in(&self, now: Timestamp) -> Duration {
        Timestamp::from_secs(self.until).since(now)
    }

    fn is_ours(&self, masters: &Masters, phone: &Phone, client: &Client) -> bool {
        let expected = |master| mac(master, phone, client, self.bits, self.until);
        let mut all = masters.iter().map(expected);
        all.any(|expected| verify_slices_are_equal(&expected, &self.mac).is_ok())
    }
}

/// How much work `proof` shows to have been done by `client` for a message to `phone`.
pub fn shown(
    masters: &Masters,
    proof: &str,
    phone: &Phone,
    client: &Client,
    now: Timestamp,
) -> Result<Bits, Unproven> {
    let (puzzle, nonce) = proof.rsplit_once('.').ok_or(Unproven::Form)?;
    let is_plain = nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if nonce.is_empty() || nonce.len() > MAX_NONCE || !is_plain {
        return Err(Unproven::Form);
    }
    let puzzle: Puzzle = puzzle.parse()?;
    if now.as_secs() >= puzzle.until || !puzzle.is_ours(masters, phone, client) {
        return Err(Unproven::Unknown);
    }
    if zero_bits(digest(&SHA256, proof.as_bytes()).as_ref()) < u32::from(puzzle.bits.0) {
        return Err(Unproven::Unsolved);
    }
    Ok(puzzle.bits)
}

fn mac(master: &Master, phone: &Phone, client: &Client, bits: Bits, until: u64) -> [u8; 16] {
    let network = client.network().to_string();
    let full = master.prf(
        Purpose::Puzzle,
        &[
            phone.as_e164().as_bytes(),
            network.as_bytes(),
            &[bits.0],
            &until.to_be_bytes(),
        ],
    );
    let (mac, _) = full.split_at(16);
    mac.try_into().unwrap_or_default()
}

fn zero_bits(hash: &[u8]) -> u32 {
    let zero_bytes = hash.iter().take_while(|byte| **byte == 0).count();
    let next = hash.get(zero_bytes).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zero_bytes).map_or(u32::MAX, |bytes| 8 * bytes + next)
}

impl fmt::Display for Puzzle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = BASE64_URL_SAFE_NO_PAD.encode(self.mac);
        write!(f, "{}.{}.{mac}", self.bits.0, self.until)
    }
}

impl FromStr for Puzzle {
    type Err = Unproven;

    fn from_str(text: &str) -> Result<Self, Unproven> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(Unproven::Form);
        let bits = part()?.parse().map_err(|_| Unproven::Form)?;
        let until = part()?.parse().map_err(|_| Unproven::Form)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(part()?);
        let mac = mac.ok().and_then(|mac| mac.try_into().ok());
        let puzzle = Self {
            bits: Bits(bits),
            until,
            mac: mac.ok_or(Unproven::Form)?,
        };
        // One spelling each, since the text itself is hashed.
        if puzzle.to_string() == text {
            Ok(puzzle)
        } else {
            Err(Unproven::Form)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::tests::stage::{NUMBER, masters, phone},
        net::peer::Scheme,
    };

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const EASY: Bits = Bits(8);

    fn client(ip: &str) -> Client {
        Client::new(ip.parse().expect("an address"), Scheme::Https)
    }

    fn solve(puzzle: &Puzzle) -> String {
        let tries = (0_u64..).map(|nonce| format!("{puzzle}.{nonce}"));
        let mut solutions = tries.filter(|proof| {
            zero_bits(digest(&SHA256, proof.as_bytes()).as_ref()) >= u32::from(puzzle.bits.0)
        });
        solutions.next().expect("a solution")
    }

    #[test]
    fn a_solved_puzzle_shows_the_work_it_asked_for() {
        let (masters, phone, home) = (masters(&[1]), phone(NUMBER), client("203.0.113.9"));
        let puzzle = Puzzle::set(masters.current(), &phone, &home, EASY, NOW);
        let proof = solve(&puzzle);
        assert_eq!(shown(&masters, &proof, &phone, &home, NOW), Ok(EASY));
        let last = (NOW + puzzle.expires_in(NOW)).minus(Duration::from_secs(1));
        assert_eq!(shown(&masters, &proof, &phone, &home, last), Ok(EASY));
    }

    #[test]
    fn a_puzzle_is_for_one_phone_one_network_and_a_while() {
        let (masters, mine, home) = (masters(&[1]), phone(NUMBER), client("203.0.113.9"));
        let puzzle = Puzzle::set(masters.current(), &mine, &home, EASY, NOW);
        let proof = solve(&puzzle);
        let try_it =
            |phone: &Phone, client: &Client, now| shown(&masters, &proof, phone, client, now);
        let other = Phone::parse("+16502530001", "+1".parse().expect("a code")).expect("a number");
        let unknown = Err(Unproven::Unknown);
        assert_eq!(try_it(&other, &home, NOW), unknown);
        assert_eq!(try_it(&mine, &client("203.0.113.10"), NOW), unknown);
        assert_eq!(try_it(&mine, &home, NOW + LIFE), unknown);
    }

    #[test]
    fn nobody_sets_puzzles_but_us() {
        let (masters, phone, home) = (masters(&[1]), phone(NUMBER), client("203.0.113.9"));
        let hard = Puzzle::set(masters.current(), &phone, &home, Bits(40), NOW);
        let easier = Puzzle {
            bits: Bits(0),
            ..hard
        };
        let later = Puzzle {
            until: hard.until + 1,
            ..hard
        };
        for forged in [easier, later] {
            let proof = format!("{forged}.0");
            let verdict = shown(&masters, &proof, &phone, &home, NOW);
            assert_eq!(verdict, Err(Unproven::Unknown), "{proof}");
        }
        let verdict = shown(&masters, &format!("{hard}.0"), &phone, &home, NOW);
        assert_eq!(verdict, Err(Unproven::Unsolved));
    }

    #[test]
    fn what_is_no_proof_is_told_so() {
        let (masters, phone, home) = (masters(&[1]), phone(NUMBER), client("203.0.113.9"));
        let puzzle = Puzzle::set(masters.current(), &phone, &home, Bits(0), NOW);
        for text in [
            String::new(),
            "1".to_owned(),
            puzzle.to_string(),
            format!("{puzzle}."),
            format!("{puzzle}.0123456789abc"),
            format!("{puzzle}.a-b"),
            format!("0{puzzle}.1"),
            format!("+{puzzle}.1"),
            format!("{puzzle}=.1"),
        ] {
            let verdict = shown(&masters, &text, &phone, &home, NOW);
            assert_eq!(verdict, Err(Unproven::Form), "{text}");
        }
        assert!(
            shown(
                &masters,
                &format!("{puzzle}.0123456789ab"),
                &phone,
                &home,
                NOW
            )
            .is_ok()
        );
    }

    #[test]
    fn a_proof_fits_into_one_block_of_the_hash() {
        let (masters, phone, home) = (masters(&[1]), phone(NUMBER), client("203.0.113.9"));
        let puzzle = Puzzle::set(masters.current(), &phone, &home, Bits(22), NOW);
        // Sixty-four bytes, less one that ends the message and eight that say how long it is.
        assert!(puzzle.to_string().len() + 1 + MAX_NONCE <= 55, "{puzzle}");
    }

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        for (hash, zeros) in [
            (&[0x80, 0][..], 0),
            (&[0x01, 0xff], 7),
            (&[0, 0x10], 11),
            (&[0, 0], 16),
        ] {
            assert_eq!(zero_bits(hash), zeros, "{hash:?}");
        }
    }
}
