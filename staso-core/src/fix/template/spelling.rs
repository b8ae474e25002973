//! How much two names look alike.

/// From 0 to 1: the better of similar spelling and shared words.
pub(crate) fn likeness(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    if a.len() > MAX_BYTES || b.len() > MAX_BYTES {
        return 0.0;
    }
    let spelled = strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase());
    spelled.max(shared_words(a, b) * 0.9)
}

/// Longer names are not compared.
const MAX_BYTES: usize = 128;

fn shared_words(a: &str, b: &str) -> f64 {
    let (a, b) = (words(a), words(b));
    let shared = a.iter().filter(|word| b.contains(word)).count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { ratio(shared, all) }
}

/// A part of a whole, as a number.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    let number = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    number(part) / number(whole)
}

/// The words of `snake_case`, `kebab-case` and `camelCase` names, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        let starts = c.is_uppercase() && after_lower;
        after_lower = c.is_lowercase() || c.is_numeric();
        if !c.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        if starts {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut() {
            last.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_alike() {
        assert!(likeness("state", "status") > likeness("state", "carrier"));
        assert!(likeness("orderId", "order_id") > 0.8);
        assert!(likeness("customer_name", "name") > 0.4);
        assert!(likeness("", "x") < 0.1);
    }
}
