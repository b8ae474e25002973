//! Which name was probably meant.

use std::collections::BTreeSet;

/// The most names that a hint lists.
const MAX_NAMES: usize = 20;

/// How alike two names are, from 0 to 1, whatever their case and word separators.
pub(super) fn similarity(a: &str, b: &str) -> f64 {
    let (a, b) = (folded(a), folded(b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    if a == b {
        return 1.0;
    }
    let spelling = strsim::normalized_damerau_levenshtein(&a, &b);
    // `total` and `order_total`: one is the other with a word more.
    let contained = if a.len().min(b.len()) >= 3 && (a.contains(&b) || b.contains(&a)) { 0.75 } else { 0.0 };
    let shared = shared_words(&a, &b);
    spelling.max(contained).max(shared)
}

/// The names once each, nearest to `wanted` first, equal ones in alphabetical order, without `wanted` itself.
pub(super) fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let unique: BTreeSet<&str> =
        names.into_iter().filter(|name| *name != wanted && name.len() <= 128).collect();
    let mut scored: Vec<(f64, &str)> =
        unique.into_iter().map(|name| (similarity(wanted, name), name)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(MAX_NAMES).map(|(_, name)| name.to_owned()).collect()
}

/// Lower case with `_` between words.
fn folded(name: &str) -> String {
    let mut folded = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && after_lower {
            folded.push('_');
        }
        after_lower = c.is_lowercase() || c.is_numeric();
        folded.extend(if c == '-' || c == ' ' || c == '.' { '_' } else { c }.to_lowercase());
    }
    folded
}

/// Half the share of words in common: `order_total` and `total_amount` share one of three.
fn shared_words(a: &str, b: &str) -> f64 {
    let words = |name: &str| {
        name.split('_').filter(|word| word.len() > 1).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (a, b) = (words(a), words(b));
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { number(a.intersection(&b).count()) / number(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_comes_first() {
        assert_eq!(nearest("order_total", ["id", "total", "currency"])[0], "total");
        assert_eq!(nearest("customerName", ["customer_id", "customer_name", "name"])[0], "customer_name");
        assert_eq!(nearest("lookup_ordr", ["lookup_order", "refund_order"])[0], "lookup_order");
        assert_eq!(nearest("x", ["x"]), Vec::<String>::new());
    }
}
