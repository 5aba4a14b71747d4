//! The canonical DAG-CBOR of a value.
//!
//! Ours rather than the library's because plaintexts pass through it: the result is allocated once, at its size, so no
//! copy of a secret stays behind in a buffer that grew. Tests hold it to the library's output.

use ipld_core::ipld::Ipld;

use crate::cid::CID_BYTES;
use crate::strict::LINK_TAG;

/// Encodes canonically. Floats and negative integers, which [`decode`](crate::strict::decode) refuses, are written all
/// the same.
pub fn encode(value: &Ipld) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded_len(value));
    write(value, &mut bytes);
    bytes
}

fn write(value: &Ipld, out: &mut Vec<u8>) {
    match value {
        Ipld::Null => out.push(0xf6),
        Ipld::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Ipld::Integer(value) if *value < 0 => write_head(1, (-1 - *value) as u64, out),
        Ipld::Integer(value) => write_head(0, *value as u64, out),
        Ipld::Float(value) => {
            out.push(0xfb);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Ipld::String(text) => write_string(3, text.as_bytes(), out),
        Ipld::Bytes(bytes) => write_string(2, bytes, out),
        Ipld::List(items) => {
            write_head(4, items.len() as u64, out);
            items.iter().for_each(|item| write(item, out));
        }
        Ipld::Map(entries) => {
            write_head(5, entries.len() as u64, out);
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            for (key, value) in sorted {
                write_string(3, key.as_bytes(), out);
                write(value, out);
            }
        }
        Ipld::Link(cid) => {
            write_head(6, LINK_TAG, out);
            let bytes = cid.to_bytes();
            write_head(2, bytes.len() as u64 + 1, out);
            out.push(0);
            out.extend_from_slice(&bytes);
        }
    }
}

fn write_string(major: u8, bytes: &[u8], out: &mut Vec<u8>) {
    write_head(major, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match head_len(argument) {
        1 => out.push(major | bytes[7]),
        2 => out.extend_from_slice(&[major | 24, bytes[7]]),
        3 => out.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
        5 => out.extend_from_slice(&[major | 26, bytes[4], bytes[5], bytes[6], bytes[7]]),
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

const fn head_len(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// An upper bound of the encoded size, exact but for integers and links, which it takes at their largest.
fn encoded_len(value: &Ipld) -> usize {
    let string = |length: usize| head_len(length as u64) + length;
    match value {
        Ipld::Null | Ipld::Bool(_) => 1,
        Ipld::Integer(_) | Ipld::Float(_) => 9,
        Ipld::String(text) => string(text.len()),
        Ipld::Bytes(bytes) => string(bytes.len()),
        Ipld::List(items) => head_len(items.len() as u64) + items.iter().map(encoded_len).sum::<usize>(),
        Ipld::Map(entries) => {
            let entry = |(key, value): (&String, &Ipld)| string(key.len()) + encoded_len(value);
            head_len(entries.len() as u64) + entries.iter().map(entry).sum::<usize>()
        }
        Ipld::Link(_) => 5 + CID_BYTES,
    }
}
