//! A binary arithmetic coder whose guesses are mixed from several adaptive ones, in whole numbers only,
//! so that both sides agree on every machine. After M. Mahoney's lpaq.

/// Where a yes-or-no goes to, or comes from.
pub(super) trait Bits {
    /// Codes one answer; `p_yes` is the chance of a yes in 1/4096. A decoder ignores `yes` and returns its own.
    fn code(&mut self, yes: bool, p_yes: u32) -> bool;
}

/// Writes answers.
pub(super) struct Encoder {
    low: u32,
    high: u32,
    bytes: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: 0, high: u32::MAX, bytes: Vec::new() }
    }
}

impl Encoder {
    /// The bytes; zeros that would follow are left away, as the decoder supplies them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.low > 0 {
            self.bytes.push((self.low >> 24) as u8 + 1);
        }
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl Bits for Encoder {
    fn code(&mut self, yes: bool, p_yes: u32) -> bool {
        let middle = split(self.low, self.high, p_yes);
        if yes {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.bytes.push((self.high >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 255;
        }
        yes
    }
}

/// Reads answers; after the end it reads zeros for ever.
pub(super) struct Decoder<'a> {
    low: u32,
    high: u32,
    value: u32,
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { low: 0, high: u32::MAX, value: 0, bytes: bytes.iter() };
        for _ in 0..4 {
            decoder.pull();
        }
        decoder
    }

    fn pull(&mut self) {
        self.value = self.value << 8 | u32::from(self.bytes.next().copied().unwrap_or(0));
    }
}

impl Bits for Decoder<'_> {
    fn code(&mut self, _: bool, p_yes: u32) -> bool {
        let middle = split(self.low, self.high, p_yes);
        let yes = self.value <= middle;
        if yes {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 255;
            self.pull();
        }
        yes
    }
}

fn split(low: u32, high: u32, p_yes: u32) -> u32 {
    low + ((u64::from(high - low) * u64::from(p_yes)) >> 12) as u32
}

/// A guess that learns: the chance of a yes in 1/65536, quick at first and calmer later.
#[derive(Clone, Copy)]
pub(super) struct Guess {
    p: u16,
    n_seen: u16,
}

impl Guess {
    pub(super) fn new(p: u16) -> Self {
        Self { p, n_seen: 0 }
    }

    fn learn(&mut self, yes: bool) {
        let target = if yes { 65_535 } else { 0 };
        let gap = target - i32::from(self.p);
        self.p = (i32::from(self.p) + gap * 2 / (2 * i32::from(self.n_seen) + 5)) as u16;
        self.n_seen = (self.n_seen + 1).min(CALM);
    }

    /// ln(p / (1-p)) in 1/256.
    fn stretched(self) -> i32 {
        STRETCH[usize::from(self.p >> 4)].into()
    }
}

/// The weights of several guesses for one kind of question.
#[derive(Clone)]
pub(super) struct Mixer<const N: usize> {
    weights: [i32; N],
}

impl<const N: usize> Mixer<N> {
    pub(super) fn new() -> Self {
        Self { weights: [65_536 * 10 / (9 * N as i32); N] }
    }

    /// Codes one answer by the guesses at `slots`, then lets everything learn from it.
    pub(super) fn code(
        &mut self,
        bits: &mut impl Bits,
        guesses: &mut [Guess],
        slots: [usize; N],
        yes: bool,
    ) -> bool {
        let inputs = slots.map(|slot| guesses[slot].stretched());
        let sum: i64 = inputs
            .iter()
            .zip(self.weights)
            .map(|(&input, weight)| i64::from(input) * i64::from(weight))
            .sum();
        let p = squash((sum >> 16) as i32);
        let yes = bits.code(yes, p.clamp(1, 4095) as u32);
        let error = ((i32::from(yes) << 12) - p) * EAGERNESS;
        for (weight, input) in self.weights.iter_mut().zip(inputs) {
            *weight = (*weight + ((input * error + 0x2000) >> 14)).clamp(-1 << 20, 1 << 20);
        }
        for slot in slots {
            guesses[slot].learn(yes);
        }
        yes
    }
}

/// 4096 / (1 + e^-x), x in 1/256; the inverse of the stretch.
const fn squash(x: i32) -> i32 {
    const CURVE: [i32; 33] = [
        1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994,
        3348, 3607, 3785, 3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
    ];
    if x > 2047 {
        return 4095;
    }
    if x < -2047 {
        return 1;
    }
    let (part, knot) = (x & 127, ((x >> 7) + 16) as usize);
    (CURVE[knot] * (128 - part) + CURVE[knot + 1] * part + 64) >> 7
}

const fn stretch_table() -> [i16; 4096] {
    let mut table = [0; 4096];
    let (mut x, mut filled) = (-2047, 0);
    while x <= 2047 {
        let reached = squash(x) as usize;
        while filled <= reached && filled < 4096 {
            table[filled] = x as i16;
            filled += 1;
        }
        x += 1;
    }
    while filled < 4096 {
        table[filled] = 2047;
        filled += 1;
    }
    table
}

static STRETCH: [i16; 4096] = stretch_table();
/// After this many answers a guess moves no more slowly.
const CALM: u16 = 60;
const EAGERNESS: i32 = 6;
