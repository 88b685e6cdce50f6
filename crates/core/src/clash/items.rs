//! The items of two lists, matched by what tells them apart.

use std::collections::BTreeMap;

use serde_json::Value;

/// What tells the items of a list apart.
#[derive(Debug)]
pub(super) enum Identity<'k> {
    /// Nothing: the list is taken as a whole.
    None,
    /// Their values: the list is a set.
    Value,
    /// These members, each with the value of an item that has none.
    Members(Vec<(&'k str, Option<&'k Value>)>),
}

/// An item of the list that comes of two: by its index in the old one, the new one, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Old(usize),
    New(usize),
    Both(usize, usize),
}

/// All items of both lists, the new ones in their order, each old one behind the one that it was behind. `None` where
/// the items can't be told apart.
pub(super) fn matched(old: &[Value], new: &[Value], identity: &Identity<'_>) -> Option<Vec<Item>> {
    let old_index = identity.index(old)?;
    let new_index = identity.index(new)?;
    let in_old: BTreeMap<usize, usize> = new_index
        .iter()
        .filter_map(|(key, new)| Some((*new, *old_index.get(key)?)))
        .collect();
    let in_new: BTreeMap<usize, usize> = in_old.iter().map(|(new, old)| (*old, *new)).collect();
    let mut first = Vec::new();
    let mut behind: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
    let mut anchor = None;
    for position in 0..old.len() {
        match (in_new.get(&position), anchor) {
            (Some(new), _) => anchor = Some(*new),
            (None, Some(new)) => behind.entry(new).or_default().push(Item::Old(position)),
            (None, None) => first.push(Item::Old(position)),
        }
    }
    for position in 0..new.len() {
        first.push(match in_old.get(&position) {
            Some(old) => Item::Both(*old, position),
            None => Item::New(position),
        });
        first.extend(behind.remove(&position).unwrap_or_default());
    }
    Some(first)
}

impl Identity<'_> {
    /// The position of each item by its key; `None` if two have the same, or one has none.
    fn index(&self, items: &[Value]) -> Option<BTreeMap<String, usize>> {
        let mut index = BTreeMap::new();
        for (position, item) in items.iter().enumerate() {
            if index.insert(self.key(item)?, position).is_some() {
                return None;
            }
        }
        Some(index)
    }

    fn key(&self, item: &Value) -> Option<String> {
        match self {
            Self::None => None,
            Self::Value => Some(item.to_string()),
            Self::Members(members) => {
                let item = item.as_object()?;
                let part = |(name, default): &(&str, Option<&Value>)| {
                    let value = item.get(*name).or(*default).unwrap_or(&Value::Null);
                    value.to_string()
                };
                Some(members.iter().map(part).collect::<Vec<_>>().join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(old: Value, new: Value, identity: &Identity<'_>) -> Option<Vec<Item>> {
        let list = |value: Value| serde_json::from_value::<Vec<Value>>(value).unwrap();
        matched(&list(old), &list(new), identity)
    }

    #[test]
    fn kept_items_stay_behind_the_ones_they_were_behind() {
        use Item::{Both, New, Old};
        for (old, new, expected) in [
            (
                json!(["a", "b", "c"]),
                json!(["b"]),
                vec![Old(0), Both(1, 0), Old(2)],
            ),
            (
                json!(["a", "b", "c"]),
                json!(["c", "b"]),
                vec![Old(0), Both(2, 0), Both(1, 1)],
            ),
            (
                json!(["a", "b"]),
                json!(["x", "a"]),
                vec![New(0), Both(0, 1), Old(1)],
            ),
            (json!([]), json!(["x"]), vec![New(0)]),
            (json!(["a"]), json!([]), vec![Old(0)]),
        ] {
            assert_eq!(order(old, new, &Identity::Value), Some(expected));
        }
    }

    #[test]
    fn items_are_told_apart_by_all_their_keys_with_defaults() {
        let tcp = json!("TCP");
        let keys = Identity::Members(vec![("port", None), ("protocol", Some(&tcp))]);
        let old = json!([{"port": 53, "protocol": "UDP"}, {"port": 53}]);
        assert_eq!(
            order(old.clone(), json!([{"port": 53, "protocol": "TCP"}]), &keys),
            Some(vec![Item::Old(0), Item::Both(1, 0)])
        );
        for indistinct in [json!([{"port": 1}, {"port": 1}]), json!([1])] {
            assert_eq!(order(old.clone(), indistinct, &keys), None);
        }
        assert_eq!(order(json!([1]), json!([1]), &Identity::None), None);
    }
}
