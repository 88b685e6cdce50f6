//! How results are written: tables for people, objects for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::Error;

/// Lines whose cells stand below each other.
fn columns(table: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..table.first().map_or(0, Vec::len)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}

/// Writes rows below their head.
pub(crate) fn table(
    head: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let head = head.iter().map(|&cell| cell.to_owned()).collect();
    let table: Vec<_> = std::iter::once(head).chain(rows).collect();
    columns(&table)
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
}

/// Writes an object as JSON.
pub(crate) fn json(told: &impl Serialize, out: &mut dyn Write) -> Result<(), Error> {
    serde_json::to_writer_pretty(&mut *out, told).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Writes an object as YAML.
pub(crate) fn yaml(told: &impl Serialize, out: &mut dyn Write) -> Result<(), Error> {
    let text = serde_saphyr::to_string(told).map_err(io::Error::other)?;
    Ok(out.write_all(text.as_bytes())?)
}

/// What is written, without colours.
#[cfg(test)]
pub(crate) fn plain(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    write(&mut out).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}
