//! The files of the tar archive, one after the other, as bytes in bounded memory.
//!
//! The headers that go before a file are read here and not by the library: it would take as much memory for them as they say.

use std::io::{self, Read, Take};
use std::ops::ControlFlow;

use tar::{Archive, EntryType, PaxExtensions};

use super::error::{Refusal, shown};
use super::limits::Limits;
use super::opened::{Fault, Opened};
use super::place::{Place, check_folder};
use super::source::Source;

type Header<'a> = tar::Entry<'a, Opened>;

/// What a header says that goes before a file: perhaps its path.
struct Before(Option<Vec<u8>>);

const BLOCK: u64 = 512;

/// The longest header before a file.
const LONGEST_HEADER: u64 = 64 << 10;

/// What may be said of a file before it: its path, and what is of no interest here.
const KNOWN: [&[u8]; 9] = [
    b"path", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"comment",
];

/// Shows each file that is read to `visit`, until it wants no more. Only `Ok` says that the archive is whole: that it has an
/// end, with nothing after it, and that gzip's checksum fits.
pub(super) fn walk(
    source: Source,
    limits: Limits,
    mut visit: impl FnMut(Place, Vec<u8>) -> Result<ControlFlow<()>, Refusal>,
) -> Result<(), Fault> {
    let mut archive = Archive::new(Opened::new(source, limits));
    let walked = files(&mut archive, limits, &mut visit);
    let mut opened = archive.into_inner();
    let ended = match walked {
        Ok(Some(end)) => check_end(&mut opened, end),
        Ok(None) => Ok(()),
        Err(stop) => Err(stop),
    };
    ended.map_err(|stop| match stop {
        Stop::Broken(error) => opened.fault(&error),
        Stop::Refused(file, refusal) => Fault::Refused { file, refusal },
    })
}

enum Stop {
    Broken(io::Error),
    Refused(Option<String>, Refusal),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(None, refusal)
    }
}

/// Where the last file ends; nothing if no more was wanted.
fn files(
    archive: &mut Archive<Opened>,
    limits: Limits,
    visit: &mut impl FnMut(Place, Vec<u8>) -> Result<ControlFlow<()>, Refusal>,
) -> Result<Option<u64>, Stop> {
    let (mut end, mut said) = (0, None);
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        if let Some(before) = before(&mut entry)? {
            if said.replace(before).is_some() {
                return Err(Refusal::Header.into());
            }
        } else {
            let path = said.take().and_then(|Before(path)| path);
            let path = path.unwrap_or_else(|| entry.path_bytes().into_owned());
            let at = |refusal| Stop::Refused(Some(shown(&String::from_utf8_lossy(&path))), refusal);
            if let Some(place) = place(&entry, &path, limits).map_err(at)? {
                let content = content(&mut entry)?;
                if visit(place, content).map_err(at)?.is_break() {
                    return Ok(None);
                }
            }
        }
        end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
    }
    match said {
        Some(_) => Err(Refusal::Header.into()),
        None => Ok(Some(end)),
    }
}

/// What is said of the next file; nothing where this is the file itself.
fn before(entry: &mut Header<'_>) -> Result<Option<Before>, Stop> {
    let kind = entry.header().entry_type();
    if !matches!(kind, EntryType::XHeader | EntryType::GNULongName) {
        return Ok(None);
    }
    if entry.size() > LONGEST_HEADER {
        return Err(Refusal::Header.into());
    }
    let mut said = content(entry)?;
    if kind == EntryType::XHeader {
        return Ok(Some(Before(path_of(&said)?)));
    }
    if said.last() == Some(&0) {
        said.pop();
    }
    Ok(Some(Before(Some(said))))
}

fn path_of(extensions: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let mut path = None;
    for extension in PaxExtensions::new(extensions) {
        let extension = extension.map_err(|_| Refusal::Header)?;
        // One that changes the file's length or kind would show other readers other files.
        if !KNOWN.contains(&extension.key_bytes()) {
            return Err(Refusal::Header);
        }
        if extension.key_bytes() == b"path" && path.replace(extension.value_bytes().to_vec()).is_some() {
            return Err(Refusal::Header);
        }
    }
    Ok(path)
}

/// What the file is; nothing where it isn't read.
fn place(entry: &Header<'_>, path: &[u8], limits: Limits) -> Result<Option<Place>, Refusal> {
    let path = str::from_utf8(path).map_err(|_| Refusal::NoPlace)?;
    match entry.header().entry_type() {
        EntryType::Directory if entry.size() == 0 => check_folder(path).map(|()| None),
        EntryType::Regular => {
            let place = Place::of(path)?;
            if entry.size() > limits.object {
                let (size, most) = (entry.size(), limits.object);
                return Err(Refusal::HugeFile { size, most });
            }
            Ok(Some(place).filter(|place| *place != Place::OtherVersion))
        }
        _ => Err(Refusal::NoFile),
    }
}

fn content(entry: &mut Header<'_>) -> io::Result<Vec<u8>> {
    let size = entry.size();
    // As much memory as there are bytes, whatever the header says.
    let mut content = Vec::new();
    Take::read_to_end(&mut entry.take(size), &mut content)?;
    if content.len() as u64 == size {
        Ok(content)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Two blocks of zeros at least, and nothing else up to gzip's checksum.
fn check_end(opened: &mut Opened, end: u64) -> Result<(), Stop> {
    let mut rest = [0; 16 << 10];
    loop {
        let length = opened.read(&mut rest)?;
        if rest[..length].iter().any(|byte| *byte != 0) {
            return Err(Refusal::AfterEnd.into());
        }
        if length == 0 {
            break;
        }
    }
    if opened.given() < end + 2 * BLOCK {
        return Err(Refusal::NoEnd.into());
    }
    Ok(())
}
