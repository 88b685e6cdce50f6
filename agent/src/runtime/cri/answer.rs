//! The answer to ExecSync, read as it comes.
//!
//! It is up to 16 MiB, and hundreds may come at once: a message that is decoded whole would take the node's memory.
//! Of the output only the end and the length are kept here, so an answer takes a few KiB whatever the command wrote.

use crate::runtime::tail::Ending;

/// Bytes before a message in a gRPC stream: whether it is compressed, and its length.
const HEADER: usize = 5;

/// What an answer says.
#[derive(Default)]
pub(super) struct Answer {
    stdout: Ending,
    stderr: Ending,
    exit_code: i32,
    state: State,
    /// Bytes of the message that are to come. One that is cut off between two fields would read well without it.
    left: u64,
}

/// The bytes make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer to ExecSync is no such message")]
pub(super) struct Malformed;

/// What the next byte is.
#[derive(Default)]
enum State {
    /// The first one of the header.
    #[default]
    Start,
    /// One of the header; so many were read.
    Header(usize),
    /// Of a field's number and type.
    Key(Varint),
    /// Of a number's value.
    Number(u64, Varint),
    /// Of the length of bytes.
    Length(u64, Varint),
    /// Of the bytes of a field; so many are to come.
    Bytes(u64, u64),
}

/// A number of unknown length, as far as it was read.
#[derive(Default)]
struct Varint {
    value: u64,
    bits: u32,
}

impl Varint {
    /// Takes a byte; the number, if it was the last one.
    fn push(&mut self, byte: u8) -> Result<Option<u64>, Malformed> {
        if self.bits > 63 {
            return Err(Malformed);
        }
        self.value |= u64::from(byte & 0x7f) << self.bits;
        self.bits += 7;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

impl Answer {
    /// Takes what came next.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while let Some((&first, rest)) = bytes.split_first() {
            if let State::Bytes(field, left) = self.state {
                let here = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.take(field, &bytes[..here]);
                bytes = &bytes[here..];
                self.state = after(field, left - here as u64);
                self.read(here as u64)?;
            } else {
                self.step(first)?;
                bytes = rest;
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match std::mem::take(&mut self.state) {
            // Compression was not offered.
            State::Start if byte != 0 => return Err(Malformed),
            State::Start => State::Header(1),
            State::Header(read) => {
                self.left = self.left << 8 | u64::from(byte);
                if read + 1 == HEADER {
                    State::Key(Varint::default())
                } else {
                    State::Header(read + 1)
                }
            }
            within => {
                self.read(1)?;
                self.field(within, byte)?
            }
        };
        Ok(())
    }

    /// Takes a byte that is none of a field's contents.
    fn field(&mut self, state: State, byte: u8) -> Result<State, Malformed> {
        Ok(match state {
            State::Key(mut key) => match key.push(byte)? {
                None => State::Key(key),
                Some(key) => value_of(key)?,
            },
            State::Number(field, mut number) => match number.push(byte)? {
                None => State::Number(field, number),
                Some(number) => {
                    if field == 3 {
                        self.exit_code = signed(number);
                    }
                    State::Key(Varint::default())
                }
            },
            State::Length(field, mut length) => match length.push(byte)? {
                None => State::Length(field, length),
                Some(length) => after(field, length),
            },
            other => other,
        })
    }

    fn read(&mut self, bytes: u64) -> Result<(), Malformed> {
        self.left = self.left.checked_sub(bytes).ok_or(Malformed)?;
        Ok(())
    }

    fn take(&mut self, field: u64, bytes: &[u8]) {
        match field {
            1 => self.stdout.push(bytes),
            2 => self.stderr.push(bytes),
            _ => {}
        }
    }

    /// The exit code, once the stream has ended; nothing came of a command that wrote nothing and exited with 0 but
    /// an empty message.
    pub(super) fn exit_code(&self) -> Result<i32, Malformed> {
        match &self.state {
            State::Key(begun) if begun.bits == 0 && self.left == 0 => Ok(self.exit_code),
            _ => Err(Malformed),
        }
    }

    /// What the command wrote, and what it wrote as errors.
    pub(super) fn output(&self) -> (&Ending, &Ending) {
        (&self.stdout, &self.stderr)
    }
}

/// What follows a field's number and type.
fn value_of(key: u64) -> Result<State, Malformed> {
    let field = key >> 3;
    match key & 7 {
        0 => Ok(State::Number(field, Varint::default())),
        1 => Ok(after(0, 8)),
        2 => Ok(State::Length(field, Varint::default())),
        5 => Ok(after(0, 4)),
        _ => Err(Malformed),
    }
}

fn after(field: u64, left: u64) -> State {
    if left == 0 {
        State::Key(Varint::default())
    } else {
        State::Bytes(field, left)
    }
}

/// An int32 is sent as the low bits of a number of 64.
#[expect(clippy::cast_possible_truncation, reason = "that is how the format says it")]
fn signed(number: u64) -> i32 {
    number as i32
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::messages::ExecSyncResponse;
    use super::*;
    use crate::runtime::Tail;

    fn framed(response: &ExecSyncResponse) -> Vec<u8> {
        let message = response.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap();
        [&[0][..], &length.to_be_bytes(), &message].concat()
    }

    fn response(stdout: usize, stderr: usize, exit_code: i32) -> ExecSyncResponse {
        ExecSyncResponse {
            stdout: vec![b'o'; stdout],
            stderr: vec![b'e'; stderr],
            exit_code,
        }
    }

    #[test]
    fn an_answer_reads_the_same_however_it_is_cut() {
        for sent in [
            response(0, 0, 0),
            response(3, 0, 7),
            response(0, 200, 137),
            response(300, 2, -1),
        ] {
            let bytes = framed(&sent);
            for size in 1..=bytes.len() {
                let mut answer = Answer::default();
                for chunk in bytes.chunks(size) {
                    answer.push(chunk).unwrap();
                }
                assert_eq!(answer.exit_code(), Ok(sent.exit_code), "{size}");
                let (stdout, stderr) = answer.output();
                assert_eq!(stdout.total(), sent.stdout.len() as u64, "{size}");
                assert_eq!(stderr.total(), sent.stderr.len() as u64, "{size}");
            }
        }
    }

    #[test]
    fn fields_of_later_versions_are_skipped() {
        let mut bytes = framed(&response(1, 1, 5));
        // Field 9 as a number, as 8 bytes, as a string, as 4 bytes.
        bytes.extend([9 << 3, 0x81, 0x01]);
        bytes.extend([9 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]);
        bytes.extend([9 << 3 | 2, 2, b'h', b'i']);
        bytes.extend([9 << 3 | 5, 1, 2, 3, 4]);
        bytes[4] = u8::try_from(bytes.len() - HEADER).unwrap();
        let mut answer = Answer::default();
        answer.push(&bytes).unwrap();
        assert_eq!(answer.exit_code(), Ok(5));
        let (stdout, stderr) = answer.output();
        assert_eq!(Tail::of(stdout, stderr).as_str(), "oe");
    }

    #[test]
    fn what_is_cut_short_or_no_answer_has_no_exit_code() {
        let whole = framed(&response(20, 0, 5));
        for end in [0, 3, 6, 8, 27] {
            let mut answer = Answer::default();
            answer.push(&whole[..end]).unwrap();
            assert_eq!(answer.exit_code(), Err(Malformed), "{end}");
        }
        for wrong in [
            &[1][..],
            &[0, 0, 0, 0, 9, 7],
            &[0, 0, 0, 0, 1, 3 << 3, 0],
            &[
                0, 0, 0, 0, 99, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ] {
            assert_eq!(Answer::default().push(wrong), Err(Malformed), "{wrong:?}");
        }
    }
}
