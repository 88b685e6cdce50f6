//! The table as people read it.

use super::aspect::Row;
use super::table;
use crate::object::GroupResource;

/// What the table says of some fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Of which kinds' objects.
    pub of: String,
    /// Patterns of JSON pointers.
    pub fields: Vec<String>,
    /// What an update does to them.
    pub what: String,
}

/// All that the table says, kind by kind.
pub fn remarks() -> Vec<Remark> {
    let of_all = [
        ("every object".to_owned(), "", table::OBJECTS),
        ("every object of a built-in kind".to_owned(), "", table::BUILT_IN),
        ("every pod that is described".to_owned(), "…", table::POD),
        ("every container".to_owned(), "…", table::CONTAINER),
    ];
    let of_kinds = table::KINDS.iter().map(|kind| {
        let resources = kind.resources.iter();
        let names = resources.map(|resource| GroupResource::new(kind.group, resource).to_string());
        (names.collect::<Vec<_>>().join(", "), "", kind.rows)
    });
    let all = of_all.into_iter().chain(of_kinds);
    all.flat_map(|(of, prefix, rows)| of_rows(&of, prefix, rows))
        .collect()
}

/// What is said in the same words is said once.
fn of_rows(of: &str, prefix: &str, rows: &[Row]) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = Vec::new();
    for (path, aspect) in rows {
        let (field, what) = (format!("{prefix}{path}"), aspect.to_string());
        match remarks.iter_mut().find(|remark| remark.what == what) {
            Some(remark) => remark.fields.push(field),
            None => remarks.push(Remark {
                of: of.to_owned(),
                fields: vec![field],
                what,
            }),
        }
    }
    remarks
}
