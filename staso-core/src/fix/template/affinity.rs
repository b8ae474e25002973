//! How much two names speak of the same thing.

use super::spelling::{likeness, ratio, words};

/// Words that stand for each other in the names of programs and prompts.
const GROUPS: [&[&str]; 8] = [
    &["date", "day", "today", "now", "time"],
    &["user", "client", "customer", "account"],
    &["text", "message", "body", "content", "question", "query", "prompt", "input"],
    &["id", "number", "no", "ref", "reference", "key"],
    &["amount", "total", "sum", "price", "cost"],
    &["name", "title", "label"],
    &["answer", "reply", "response", "output", "result"],
    &["facts", "context", "documents", "notes", "background"],
];

/// Words that say nothing about what is named.
const FILLERS: [&str; 8] = ["current", "my", "the", "this", "given", "new", "value", "our"];

/// From 0 to 1: the best of similar spelling, shared words and words that stand for each other.
pub(crate) fn affinity(a: &str, b: &str) -> f64 {
    likeness(a, b).max(0.9 * shared_meaning(a, b))
}

fn shared_meaning(a: &str, b: &str) -> f64 {
    let (a, b) = (telling_words(a), telling_words(b));
    let meant = a.iter().filter(|word| b.iter().any(|other| alike(word, other))).count();
    let all = (a.len() + b.len()).saturating_sub(meant);
    if all == 0 { 0.0 } else { ratio(meant, all).min(1.0) }
}

fn telling_words(name: &str) -> Vec<String> {
    let mut words = words(name);
    words.retain(|word| !FILLERS.contains(&word.as_str()));
    words
}

fn alike(a: &str, b: &str) -> bool {
    is_kin(a, b) || GROUPS.iter().any(|group| group.contains(&a) && group.contains(&b))
}

/// Whether two words are the same but for their ending, such as `week` and `weeks`.
fn is_kin(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short == long
        || short.len() >= LEAST_STEM_BYTES && long.len() <= short.len() + 3 && long.starts_with(short)
}

const LEAST_STEM_BYTES: usize = 4;

/// From 0 to 1: how many of the words of the names a key shares.
pub(crate) fn coverage(key: &str, names: &[&str]) -> f64 {
    let own = words(key);
    let mut wanted: Vec<String> = names.iter().take(MAX_NAMES).flat_map(|name| words(name)).collect();
    wanted.sort();
    wanted.dedup();
    let met = wanted.iter().filter(|word| own.iter().any(|own| is_kin(own, word))).count();
    if wanted.is_empty() { 0.0 } else { ratio(met, wanted.len()) }
}

const MAX_NAMES: usize = 16;

/// Whether two names have a word in common.
pub(crate) fn shares_word(a: &str, b: &str) -> bool {
    let b = words(b);
    words(a).iter().any(|word| word.len() > 2 && b.iter().any(|other| is_kin(word, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_mean_the_same_are_near() {
        assert!(affinity("current_date", "today") > affinity("current_date", "customer_id"));
        assert!(affinity("client_name", "customer_name") > affinity("client_name", "name"));
        assert!(affinity("ticket_text", "question") > affinity("ticket_text", "signature"));
        assert!(affinity("", "x") < 0.1);
    }

    #[test]
    fn keys_share_words_with_the_names_around() {
        assert!((coverage("fee_per_week", &["weeks", "fee"]) - 1.0).abs() < 1e-9);
        assert!(coverage("fee_max", &["weeks", "fee"]) < 0.6);
        assert!(coverage("fee", &[]) < 0.1);
        assert!(shares_word("size_label", "size") && !shares_word("size_label", "colour"));
        assert!(shares_word("SUPPORT_SIGNATURE", "signature"));
    }
}
