//! Tokens that were verified a moment ago, so that the next request with the same one costs a look-up and no signature check.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    mem,
};

/// A bounded map from whole tokens to what is known of them.
///
/// It holds two halves: when the young one is full it becomes the old one, and whatever is still
/// asked for moves over. So it never exceeds twice its capacity, and what is in use stays.
#[derive(Debug)]
pub struct TokenCache<V> {
    capacity: usize,
    young: Half<V>,
    old: Half<V>,
}

type Half<V> = HashMap<Box<str>, V, BuildHasherDefault<SignatureHasher>>;

/// Hashes a token by the last characters of its signature. Only verified tokens are ever kept, and
/// nobody can choose their signatures, so they spread by themselves; equality is of whole tokens.
#[derive(Debug, Default)]
struct SignatureHasher(u64);

impl<V: Clone> TokenCache<V> {
    /// Holds at least the last `capacity` tokens that were used.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            young: HashMap::default(),
            old: HashMap::default(),
        }
    }

    /// What is known of `token`.
    pub fn get(&mut self, token: &str) -> Option<V> {
        if let Some(known) = self.young.get(token) {
            return Some(known.clone());
        }
        let (token, known) = self.old.remove_entry(token)?;
        self.put(token, known.clone());
        Some(known)
    }

    /// Remembers `token`.
    pub fn insert(&mut self, token: &str, known: V) {
        self.put(token.into(), known);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn put(&mut self, token: Box<str>, known: V) {
        if self.young.len() >= self.capacity {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(token, known);
    }
}

impl Hasher for SignatureHasher {
    fn write(&mut self, token: &[u8]) {
        for chunk in token.rchunks(8).take(2) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            // Spreads the six random bits of each character over the word (Knuth's multiplicative hash).
            self.0 = (self.0.rotate_left(29) ^ u64::from_le_bytes(word))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_u8(&mut self, _end_of_text: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_twice_its_capacity_and_keeps_what_is_in_use() {
        let mut cache = TokenCache::new(10);
        cache.insert("in use", 0);
        for n in 1..1000 {
            cache.insert(&format!("token {n}"), n);
            assert_eq!(cache.get("in use"), Some(0));
            assert!(cache.young.len() + cache.old.len() <= 20);
        }
        assert_eq!(cache.get("token 1"), None);
        assert_eq!(cache.get("token 999"), Some(999));
    }

    #[test]
    fn tokens_with_the_same_end_are_told_apart() {
        let mut cache = TokenCache::new(10);
        cache.insert("aaaa.same-signature-end", 1);
        assert_eq!(cache.get("bbbb.same-signature-end"), None);
    }

    #[test]
    fn clearing_forgets_old_and_young() {
        let mut cache = TokenCache::new(1);
        cache.insert("a", 1);
        cache.insert("b", 2);
        cache.clear();
        assert_eq!((cache.get("a"), cache.get("b")), (None, None));
    }
}
