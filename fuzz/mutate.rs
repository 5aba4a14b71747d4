//! New inputs out of valid ones: bits, bytes, cuts, copies, splices of two samples, and changed length fields.

/// A seeded source of numbers (splitmix64): not random, always the same.
pub struct Chance(u64);

impl Chance {
    /// From a seed, different for each name.
    pub fn new(seed: u64, name: &str) -> Self {
        let name = name.bytes().fold(seed, |sum, byte| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        Self(name)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to one less than `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of the samples after 1 to 4 changes.
    pub fn mutated(&mut self, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut input = samples[self.below(samples.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input, samples);
        }
        input
    }

    /// Places near the beginning are as likely as all others: heads and lengths stand there.
    fn place(&mut self, length: usize) -> usize {
        let end = if self.below(2) == 0 { length.min(64) } else { length };
        self.below(end)
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.place(length);
        let most = if self.below(2) == 0 { 16 } else { length };
        let bytes = 1 + self.below(most);
        start..(start + bytes).min(length)
    }

    fn change(&mut self, input: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let length = input.len();
        if length == 0 {
            let byte = self.next() as u8;
            return input.push(byte);
        }
        match self.below(10) {
            0 | 1 => {
                let at = self.place(length);
                input[at] ^= 1 << self.below(8);
            }
            2 => {
                const TELLING: [u8; 12] = [0, 1, 0x17, 0x18, 0x1b, 0x1f, 0x5f, 0x7f, 0x80, 0xbf, 0xf6, 0xff];
                let at = self.place(length);
                input[at] = TELLING[self.below(TELLING.len())];
            }
            3 => {
                let at = self.place(length);
                input[at] = input[at].wrapping_add(if self.below(2) == 0 { 1 } else { 255 });
            }
            4 => input.truncate(self.below(length)),
            5 => {
                let range = self.range(length);
                input.drain(range);
            }
            6 => {
                let range = self.range(length);
                let copy = input[range.clone()].to_vec();
                let at = if self.below(2) == 0 { range.end } else { self.below(length) };
                input.splice(at..at, copy);
            }
            7 => {
                let other = &samples[self.below(samples.len())];
                let range = self.range(length);
                let taken = self.range(other.len());
                input.splice(range, other[taken].iter().copied());
            }
            8 => self.change_length(input),
            _ => {
                let bytes: Vec<u8> = (0..=self.below(8)).map(|_| self.next() as u8).collect();
                let at = self.below(length + 1);
                input.splice(at..at, bytes);
            }
        }
    }

    /// A field of 1, 2, 4 or 8 bytes, of either order, becomes one that lies a little or very much.
    fn change_length(&mut self, input: &mut [u8]) {
        let width = 1 << self.below(4);
        let at = self.place(input.len());
        let Some(field) = input.get_mut(at..at + width) else { return };
        let big_endian = self.below(2) == 0;
        let mut value = [0; 8];
        if big_endian {
            value[8 - width..].copy_from_slice(field);
        } else {
            field.iter().rev().zip(&mut value[8 - width..]).for_each(|(from, to)| *to = *from);
        }
        let number = u64::from_be_bytes(value);
        let lie = match self.below(6) {
            0 => number.wrapping_add(1),
            1 => number.wrapping_sub(1),
            2 => 0,
            3 => u64::MAX,
            4 => u64::MAX >> 1,
            _ => number.wrapping_mul(2),
        };
        let value = lie.to_be_bytes();
        let value = &value[8 - width..];
        if big_endian {
            field.copy_from_slice(value);
        } else {
            field.iter_mut().zip(value.iter().rev()).for_each(|(to, from)| *to = *from);
        }
    }
}
