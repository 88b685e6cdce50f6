//! Where the elements of a merged list end up. Elements are known by numbers, equal ones by the same.

use std::collections::HashMap;

/// A new list from what was merged: in the order that the patch wants as far as it names them, the others in their
/// former order. The two are interleaved: one of the others comes first only if it stood before the next of the
/// patch's in the former list. So what is new in the patch goes to the front.
pub(super) fn arranged<T>(
    merged: Vec<T>,
    number: impl Fn(&T) -> usize,
    wanted: &[usize],
    former: &[usize],
) -> Vec<T> {
    let (wanted, former) = (ranks(wanted), ranks(former));
    let rank = |ranks: &HashMap<usize, usize>, element: &T| ranks.get(&number(element)).copied();
    let (mut named, mut others): (Vec<_>, Vec<_>) = merged
        .into_iter()
        .map(|element| (rank(&wanted, &element), rank(&former, &element), element))
        .partition(|(wanted, _, _)| wanted.is_some());
    named.sort_by_key(|(wanted, _, _)| *wanted);
    others.sort_by_key(|(_, former, _)| *former);

    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for (_, place, element) in named {
        while let Some((_, _, other)) = others
            .next_if(|(_, other, _)| matches!((other, place), (Some(other), Some(place)) if *other < place))
        {
            arranged.push(other);
        }
        arranged.push(element);
    }
    arranged.extend(others.map(|(_, _, other)| other));
    arranged
}

/// The first place of each number.
fn ranks(order: &[usize]) -> HashMap<usize, usize> {
    let mut ranks = HashMap::new();
    for (place, number) in order.iter().enumerate() {
        ranks.entry(*number).or_insert(place);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_patch_names_goes_first_unless_it_stood_behind() {
        for (merged, wanted, former, expected) in [
            ("ax", "x", "a", "xa"),
            ("abcx", "bx", "abc", "abxc"),
            ("abcx", "xc", "abc", "xabc"),
            ("abc", "ca", "abc", "bca"),
            ("abc", "", "abc", "abc"),
            ("abcd", "dcba", "abcd", "dcba"),
        ] {
            let numbers = |text: &str| text.bytes().map(usize::from).collect::<Vec<_>>();
            let arranged = arranged(
                numbers(merged),
                |number| *number,
                &numbers(wanted),
                &numbers(former),
            );
            assert_eq!(arranged, numbers(expected), "{merged} by {wanted}, once {former}");
        }
    }
}
