//! Merging lists. Their elements are told apart by keys or, where they are no objects, by themselves; from then on
//! they are numbers.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::directive::{self, PatchDirective};
use super::metadata::{ListMerge, Metadata};
use super::{Draft, Fault, Merger, Pointer, order, taken};
use crate::schema::MapKey;

/// An element of the list that is to be.
struct Element {
    number: usize,
    source: Source,
}

enum Source {
    /// The element that has this index before.
    Kept(usize),
    New(Value),
}

/// The elements of two lists, before they are put in order.
#[derive(Default)]
struct Merged {
    elements: Vec<Element>,
    /// The patch's elements, in its order.
    wanted: Vec<usize>,
    /// Those that were there, in theirs.
    former: Vec<usize>,
    /// How many of those were deleted.
    freed: usize,
}

/// The elements of a patch by what they are for.
#[derive(Default)]
struct Sorted<'p> {
    items: Vec<&'p Value>,
    deleted: HashSet<usize>,
    replaces: bool,
}

/// Gives elements that are the same the same number.
struct Numbers<'k> {
    keys: &'k [MapKey],
    known: HashMap<String, usize>,
}

impl Merger<'_> {
    /// Merges a list into the one that is here.
    pub(super) fn list(&mut self, patch: &[Value], metadata: Metadata<'_>) -> Result<(), Fault> {
        let merge = metadata.list_merge();
        if let ListMerge::Replace = merge {
            let value = taken::verbatim(&Value::Array(patch.to_vec()), metadata);
            return Ok(self.draft.replace(&self.path, value)?);
        }
        let merged = self.merged(patch, &mut Numbers::by(merge.keys()), metadata)?;
        self.put(order::arranged(
            merged.elements,
            |element| element.number,
            &merged.wanted,
            &merged.former,
        ))
    }

    /// Does the same in an order that the patch gives; the list may be missing on either side.
    pub(super) fn ordered_list(
        &mut self,
        patch: Option<&Value>,
        order: &[Value],
        metadata: Metadata<'_>,
    ) -> Result<(), Fault> {
        let patch = match patch {
            None => None,
            Some(Value::Array(items)) => Some(items.as_slice()),
            Some(_) => return Err(directive::NO_ORDER),
        };
        let merge = metadata.list_merge();
        let mut numbers = Numbers::by(merge.keys());
        let wanted = numbers.of_all(order)?;
        numbers.check_order(patch.unwrap_or_default(), &wanted)?;
        let merged = match (self.elements(), patch, &merge) {
            (None, None, _) => return Ok(()),
            (None, Some(patch), _) => {
                let item = metadata.item();
                Merged::new(
                    patch.iter().filter_map(|value| taken::fresh(value, item)),
                    &mut numbers,
                )?
            }
            (Some(present), None, _) => Merged::of(present, &mut numbers)?,
            (Some(present), Some(patch), ListMerge::Replace) => {
                let former = numbers.of_all(present)?;
                let item = metadata.item();
                let values = patch.iter().map(|value| taken::verbatim(value, item));
                let elements = Merged::new(values, &mut numbers)?.elements;
                Merged {
                    elements,
                    former,
                    ..Merged::default()
                }
            }
            (Some(_), Some(patch), _) => self.merged(patch, &mut numbers, metadata)?,
        };
        let former = merged.former_with_reused_places();
        self.put(order::arranged(
            merged.elements,
            |element| element.number,
            &wanted,
            &former,
        ))
    }

    /// Takes values out of a list of scalars, however it is merged.
    pub(super) fn delete_from(
        &mut self,
        values: &Value,
        parent: Metadata<'_>,
        name: &str,
    ) -> Result<(), Fault> {
        match (self.path.lookup(self.draft.value()), values) {
            (Ok(_), Value::Null) => Ok(self.draft.remove(&self.path)?),
            (Ok(Value::Array(present)), Value::Array(values)) => {
                parent.member(name)?;
                check_kinds(present, values)?;
                if present.iter().chain(values).any(Value::is_object) {
                    return Err(Fault::NotPrimitive);
                }
                let mut numbers = Numbers::by(&[]);
                let deleted: HashSet<_> = numbers.of_all(values)?.into_iter().collect();
                let mut merged = Merged::of(present, &mut numbers)?;
                merged
                    .elements
                    .retain(|element| !deleted.contains(&element.number));
                self.put(merged.elements)
            }
            _ => Ok(()),
        }
    }

    /// The elements of the list that is here.
    fn elements(&self) -> Option<&Vec<Value>> {
        self.path.lookup(self.draft.value()).ok()?.as_array()
    }

    /// Merges what the patch has of elements that are here, and collects what will be in the list.
    fn merged(
        &mut self,
        patch: &[Value],
        numbers: &mut Numbers<'_>,
        metadata: Metadata<'_>,
    ) -> Result<Merged, Fault> {
        let present = self.elements().map_or(&[][..], Vec::as_slice);
        check_kinds(present, patch)?;
        if numbers.keys.is_empty()
            && metadata.needs_keys()
            && present.iter().chain(patch).any(Value::is_object)
        {
            return Err(Fault::NoKey);
        }
        let Sorted {
            items,
            deleted,
            replaces,
        } = Sorted::of(patch, numbers)?;
        if replaces {
            let item = metadata.item();
            return Merged::new(
                items.into_iter().map(|value| taken::verbatim(value, item)),
                numbers,
            );
        }
        let mut merged = Merged::of(present, numbers)?;
        let mut seen = HashSet::new();
        merged.elements.retain(|element| {
            let is_first = seen.insert(element.number);
            !deleted.contains(&element.number) && (is_first || !numbers.keys.is_empty())
        });
        merged.former.retain(|number| !deleted.contains(number));
        merged.freed = present.len() - merged.elements.len();
        self.merge_items(&items, &mut merged, numbers, metadata.item())?;
        Ok(merged)
    }

    fn merge_items(
        &mut self,
        items: &[&Value],
        merged: &mut Merged,
        numbers: &mut Numbers<'_>,
        metadata: Metadata<'_>,
    ) -> Result<(), Fault> {
        let mut places = HashMap::new();
        for (place, element) in merged.elements.iter().enumerate() {
            places.entry(element.number).or_insert(place);
        }
        for item in items {
            let number = numbers.of(item)?;
            merged.wanted.push(number);
            let same = places
                .get(&number)
                .map(|place| &mut merged.elements[*place].source);
            match (same, item) {
                (Some(Source::Kept(index)), Value::Object(members)) => {
                    self.inside(&index.to_string(), |merger| merger.object(members, metadata))?;
                }
                (Some(Source::New(former)), Value::Object(members)) => {
                    *former = merged_apart(former.take(), members, metadata)?;
                }
                (Some(_), _) => {}
                (None, item) => {
                    places.insert(number, merged.elements.len());
                    let source = Source::New(taken::verbatim(item, metadata));
                    merged.elements.push(Element { number, source });
                }
            }
        }
        Ok(())
    }

    /// Makes the list what it is to be: step by step where those that stay keep their order, else as a whole.
    fn put(&mut self, elements: Vec<Element>) -> Result<(), Fault> {
        let present = self.elements().map_or(&[][..], Vec::as_slice);
        let kept: Vec<usize> = elements.iter().filter_map(Element::kept).collect();
        if present.is_empty() || kept.is_empty() || !kept.is_sorted() {
            let list = elements.into_iter().map(|element| match element.source {
                Source::Kept(index) => present[index].clone(),
                Source::New(value) => value,
            });
            let list = list.collect();
            return Ok(self.draft.add(&self.path, list)?);
        }
        let gone = (0..present.len())
            .rev()
            .filter(|index| kept.binary_search(index).is_err());
        for index in gone.collect::<Vec<_>>() {
            self.inside(&index.to_string(), |merger| {
                Ok(merger.draft.remove(&merger.path)?)
            })?;
        }
        for (index, element) in elements.into_iter().enumerate() {
            if let Source::New(value) = element.source {
                self.inside(&index.to_string(), |merger| {
                    Ok(merger.draft.add(&merger.path, value)?)
                })?;
            }
        }
        Ok(())
    }
}

impl Element {
    const fn kept(&self) -> Option<usize> {
        match self.source {
            Source::Kept(index) => Some(index),
            Source::New(_) => None,
        }
    }
}

impl Merged {
    /// A list as it is.
    fn of(present: &[Value], numbers: &mut Numbers<'_>) -> Result<Self, Fault> {
        let former = numbers.of_all(present)?;
        let element = |(index, number): (usize, &usize)| Element {
            number: *number,
            source: Source::Kept(index),
        };
        Ok(Self {
            elements: former.iter().enumerate().map(element).collect(),
            former,
            ..Self::default()
        })
    }

    /// Where the patch gives the order, the API server counts new elements that take the memory of deleted ones among
    /// those that were there: not meant, but so it is.
    fn former_with_reused_places(&self) -> Vec<usize> {
        let new = self.elements.iter().filter(|element| element.kept().is_none());
        let reused = new.take(self.freed).map(|element| element.number);
        self.former.iter().copied().chain(reused).collect()
    }

    /// A list that takes the place of the former one, or of none.
    fn new(values: impl Iterator<Item = Value>, numbers: &mut Numbers<'_>) -> Result<Self, Fault> {
        let element = |value: Value| {
            Ok(Element {
                number: numbers.of(&value)?,
                source: Source::New(value),
            })
        };
        let elements: Vec<_> = values.map(element).collect::<Result<_, Fault>>()?;
        let former = elements.iter().map(|element| element.number).collect();
        Ok(Self {
            elements,
            former,
            ..Self::default()
        })
    }
}

impl<'p> Sorted<'p> {
    fn of(patch: &'p [Value], numbers: &mut Numbers<'_>) -> Result<Self, Fault> {
        let mut sorted = Self::default();
        for item in patch {
            match item.get(directive::PATCH).map(PatchDirective::of).transpose()? {
                None => sorted.items.push(item),
                Some(PatchDirective::Delete) => drop(sorted.deleted.insert(numbers.of(item)?)),
                Some(PatchDirective::Replace) => sorted.replaces = true,
                Some(PatchDirective::Merge) => return Err(Fault::BadPatchDirective),
            }
        }
        Ok(sorted)
    }
}

impl<'k> Numbers<'k> {
    /// By these fields of objects, or by the values themselves if there are none.
    fn by(keys: &'k [MapKey]) -> Self {
        Self {
            keys,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, element: &Value) -> Result<usize, Fault> {
        let text = if self.keys.is_empty() {
            element.to_string()
        } else {
            self.key_of(element)?
        };
        let next = self.known.len();
        Ok(*self.known.entry(text).or_insert(next))
    }

    /// JSON, since `80` and `80.0` are different keys, as are `1` and `"1"`.
    fn key_of(&self, element: &Value) -> Result<String, Fault> {
        let members = element.as_object().ok_or(Fault::MixedList)?;
        let mut text = String::new();
        for key in self.keys {
            let value = members.get(&*key.name).or(key.default.as_ref());
            let value = value.ok_or_else(|| Fault::MissingKey(key.name.to_string()))?;
            text.push_str(&value.to_string());
            text.push(',');
        }
        Ok(text)
    }

    fn of_all(&mut self, elements: &[Value]) -> Result<Vec<usize>, Fault> {
        elements.iter().map(|element| self.of(element)).collect()
    }

    /// The patch's elements, deletions aside, have to follow each other as in the order that it gives.
    fn check_order(&mut self, patch: &[Value], order: &[usize]) -> Result<(), Fault> {
        let mut order = order.iter();
        for item in patch {
            if item.get(directive::PATCH).is_none() {
                let number = self.of(item)?;
                if !order.any(|other| *other == number) {
                    return Err(Fault::ElementOrder);
                }
            }
        }
        Ok(())
    }
}

/// Merges into a value that isn't in the object yet.
fn merged_apart(value: Value, patch: &Map<String, Value>, metadata: Metadata<'_>) -> Result<Value, Fault> {
    let mut draft = Draft::new(value);
    Merger {
        draft: &mut draft,
        path: Pointer::default(),
    }
    .object(patch, metadata)?;
    Ok(draft.into_parts().0)
}

/// Elements are all objects, all texts, and so on; they are never lists.
fn check_kinds(present: &[Value], patch: &[Value]) -> Result<(), Fault> {
    let mut elements = present.iter().chain(patch);
    let Some(first) = elements.next() else {
        return Ok(());
    };
    if first.is_array() || elements.any(|element| !is_alike(first, element)) {
        return Err(Fault::MixedList);
    }
    Ok(())
}

fn is_alike(left: &Value, right: &Value) -> bool {
    match (left, right) {
        // Go has integers and fractions apart.
        (Value::Number(left), Value::Number(right)) => left.is_f64() == right.is_f64(),
        _ => std::mem::discriminant(left) == std::mem::discriminant(right),
    }
}
