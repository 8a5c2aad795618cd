//! A network as a list of steps over stretches of memory that are used again as soon
//! as nobody reads them any more.

use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::prelude::*;

use super::{
    kernels::{Curve, Dense, Depthwise, Norm, Pool, TinyIsZero, Unit},
    view::{Run, ValueId},
};

/// A network, ready to run on several threads at once.
pub(super) struct Program {
    values: Vec<Value>,
    steps: Vec<Step>,
    outputs: Vec<ValueId>,
    unit: Unit,
    /// Floats of each piece of memory, and which piece each value lies in.
    sizes: Vec<usize>,
    slots: Vec<usize>,
    /// Memory of runs that have ended.
    idle: Mutex<Vec<Vec<Vec<f32>>>>,
}

/// What a stretch of memory is.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) len: usize,
    pub(super) origin: Origin,
}

/// Where the numbers of a value come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Input,
    Constant(Vec<f32>),
    /// Some steps.
    Steps,
}

/// A position in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) value: ValueId,
    pub(super) offset: usize,
}

/// One thing to do.
pub(super) enum Step {
    Dense {
        work: Box<Dense>,
        from: Place,
        residual: Option<ValueId>,
        to: Place,
    },
    Depthwise {
        work: Box<Depthwise>,
        from: Place,
        residual: Option<ValueId>,
        to: Place,
    },
    Norm {
        work: Box<Norm>,
        from: ValueId,
        to: ValueId,
    },
    Pool {
        work: Box<Pool>,
        from: Place,
        to: Place,
    },
    Map(Map),
    /// Sums over `inner` for each of `outer`.
    Sum {
        from: Place,
        outer: Vec<Run>,
        inner: Vec<Run>,
        to: ValueId,
    },
    /// One number everywhere.
    Fill {
        value: f32,
        to: ValueId,
    },
    Copy {
        from: Place,
        to: Place,
        loops: Vec<Loop>,
    },
    /// For each `n` numbers, their exponentials in shares of one.
    Softmax {
        from: ValueId,
        n: usize,
        to: ValueId,
    },
    /// An operation of the other runtime.
    Foreign {
        work: Arc<TypedRunnableModel>,
        inputs: Vec<(ValueId, Vec<usize>)>,
        to: ValueId,
    },
}

/// A loop of a copy, with the distances on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loop {
    pub(super) n: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A function of each element.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) of: Function,
    /// The loops over the output, the innermost last.
    pub(super) loops: Vec<usize>,
    pub(super) operands: Vec<Operand>,
    /// Written without gaps.
    pub(super) to: ValueId,
}

/// What a map reads, with one distance for each loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) place: Place,
    pub(super) strides: Vec<usize>,
}

/// Functions of one or two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Least,
    Greatest,
    /// One where both are the same.
    Equal,
    /// Negative first numbers times the second.
    Rectify,
    Bend(Curve),
    Negate,
    Root,
    Reciprocal,
    Sign,
    ArcTangent,
}

impl Program {
    pub(super) fn new(values: Vec<Value>, steps: Vec<Step>, outputs: Vec<ValueId>) -> Self {
        let (sizes, slots) = share(&values, &steps, &outputs);
        let idle = Mutex::new(Vec::new());
        Self { values, steps, outputs, unit: Unit::here(), sizes, slots, idle }
    }

    /// The outputs, each flattened, in order.
    pub(super) fn run(&self, input: &[f32]) -> TractResult<Vec<Vec<f32>>> {
        let _tiny_is_zero = TinyIsZero::set();
        let mut memory = self.memory();
        for step in &self.steps {
            let slot = self.slots[step.writes().value];
            let mut output = std::mem::take(&mut memory[slot]);
            let done = self.step(step, input, &memory, &mut output);
            memory[slot] = output;
            done?;
        }
        let outputs = self.outputs.iter().map(|id| self.read(*id, input, &memory).to_vec());
        let outputs = outputs.collect();
        self.keep(memory);
        Ok(outputs)
    }

    /// For each kind of step its share of a run's time, for tuning.
    #[cfg(test)]
    pub(super) fn profile(&self, input: &[f32]) -> Vec<(String, f64)> {
        let _tiny_is_zero = TinyIsZero::set();
        let mut memory = self.memory();
        let mut times = Vec::new();
        for step in &self.steps {
            let slot = self.slots[step.writes().value];
            let mut output = std::mem::take(&mut memory[slot]);
            let started = std::time::Instant::now();
            self.step(step, input, &memory, &mut output).unwrap();
            times.push((step.to_string(), started.elapsed().as_secs_f64() * 1e3));
            memory[slot] = output;
        }
        times
    }

    fn memory(&self) -> Vec<Vec<f32>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| self.sizes.iter().map(|n| vec![0.0; *n]).collect())
    }

    /// The memory of the small networks is ready for the next frame. That of the large ones, which run for tenths of a
    /// second and seldom, goes back: all of them together are more than a small machine has to spare.
    fn keep(&self, memory: Vec<Vec<f32>>) {
        if self.sizes.iter().sum::<usize>() <= KEPT_MAX {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
    }

    fn read<'r>(&'r self, id: ValueId, input: &'r [f32], memory: &'r [Vec<f32>]) -> &'r [f32] {
        match &self.values[id].origin {
            Origin::Input => input,
            Origin::Constant(values) => values,
            Origin::Steps => &memory[self.slots[id]][..self.values[id].len],
        }
    }

    fn step(
        &self,
        step: &Step,
        input: &[f32],
        memory: &[Vec<f32>],
        output: &mut [f32],
    ) -> TractResult<()> {
        let read = |id: ValueId| self.read(id, input, memory);
        let from = |place: &Place| &self.read(place.value, input, memory)[place.offset..];
        let output = &mut output[..self.values[step.writes().value].len];
        match step {
            Step::Dense { work, from: place, residual, to } => {
                work.run(from(place), residual.map(read), &mut output[to.offset..]);
            }
            Step::Depthwise { work, from: place, residual, to } => {
                work.run(from(place), residual.map(read), &mut output[to.offset..]);
            }
            Step::Norm { work, from, .. } => work.run(read(*from), output),
            Step::Pool { work, from: place, to } => {
                work.run(from(place), &mut output[to.offset..]);
            }
            Step::Map(map) => {
                let sources: Vec<&[f32]> = map.operands.iter().map(|o| from(&o.place)).collect();
                map.run(self.unit, &sources, output);
            }
            Step::Sum { from: place, outer, inner, .. } => sum(from(place), outer, inner, output),
            Step::Fill { value, .. } => output.fill(*value),
            Step::Copy { from: place, to, loops } => {
                copy(from(place), &mut output[to.offset..], loops);
            }
            Step::Softmax { from, n, .. } => softmax(self.unit, read(*from), *n, output),
            Step::Foreign { work, inputs, .. } => {
                let inputs: TVec<TValue> = inputs
                    .iter()
                    .map(|(id, shape)| Ok(Tensor::from_shape(shape, read(*id))?.into_tvalue()))
                    .collect::<TractResult<_>>()?;
                let answer = work.run(inputs)?;
                let answer = answer[0].to_plain_array_view::<f32>()?;
                output.iter_mut().zip(answer.iter()).for_each(|(to, value)| *to = *value);
            }
        }
        Ok(())
    }
}

impl Step {
    /// Where it writes.
    pub(super) fn writes(&self) -> Place {
        match self {
            Self::Dense { to, .. }
            | Self::Depthwise { to, .. }
            | Self::Pool { to, .. }
            | Self::Copy { to, .. } => *to,
            Self::Norm { to, .. }
            | Self::Sum { to, .. }
            | Self::Fill { to, .. }
            | Self::Softmax { to, .. }
            | Self::Foreign { to, .. }
            | Self::Map(Map { to, .. }) => Place { value: *to, offset: 0 },
        }
    }

    /// The values it reads.
    pub(super) fn reads(&self) -> Vec<ValueId> {
        match self {
            Self::Dense { from, residual, .. } | Self::Depthwise { from, residual, .. } => {
                residual.iter().copied().chain([from.value]).collect()
            }
            Self::Norm { from, .. } | Self::Softmax { from, .. } => vec![*from],
            Self::Pool { from, .. } | Self::Sum { from, .. } | Self::Copy { from, .. } => {
                vec![from.value]
            }
            Self::Map(map) => map.operands.iter().map(|operand| operand.place.value).collect(),
            Self::Fill { .. } => Vec::new(),
            Self::Foreign { inputs, .. } => inputs.iter().map(|(id, _)| *id).collect(),
        }
    }
}

#[cfg(test)]
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dense { work: w, .. } => write!(
                f,
                "dense {:?} s{} {}->{} out {:?}x{} {:?}",
                w.kernel,
                w.stride.0,
                w.channels_in,
                w.channels_out,
                w.size_out,
                w.starts.len(),
                w.curve
            ),
            Self::Depthwise { work: w, .. } => write!(
                f,
                "depthwise {:?} s{} {} out {:?} {:?}",
                w.kernel, w.stride.0, w.channels, w.size_out, w.curve
            ),
            Self::Norm { work: w, .. } => {
                write!(f, "norm {}x{} {:?}", w.n_pixels, w.channels, w.curve)
            }
            Self::Pool { work: w, .. } => {
                write!(f, "pool {:?} {:?}x{}", w.kernel, w.size_out, w.channels)
            }
            Self::Map(map) => write!(
                f,
                "map {:?} {:?} {:?}",
                map.of,
                map.loops,
                map.operands.iter().map(|o| &o.strides).collect::<Vec<_>>()
            ),
            Self::Sum { outer, inner, .. } => write!(f, "sum {outer:?} {inner:?}"),
            Self::Fill { .. } => write!(f, "fill"),
            Self::Copy { loops, .. } => write!(f, "copy {loops:?}"),
            Self::Softmax { n, .. } => write!(f, "softmax {n}"),
            Self::Foreign { inputs, .. } => write!(f, "foreign {inputs:?}"),
        }
    }
}

impl Map {
    fn run(&self, unit: Unit, sources: &[&[f32]], output: &mut [f32]) {
        if self.loops.len() > 1 && self.loops.last().is_some_and(|n| *n < SHORT) {
            return self.run_gathered(unit, sources, output);
        }
        let (inner, outer) = self.loops.split_last().unwrap_or((&1, &[]));
        let n_outer: usize = outer.iter().product();
        let mut index = vec![0usize; outer.len()];
        for chunk in output.chunks_exact_mut(*inner).take(n_outer) {
            let part = |which: usize| {
                let strides = &self.operands[which].strides;
                let start: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
                let stride = strides.get(outer.len()).copied().unwrap_or(0);
                (&sources[which][start..], stride)
            };
            self.of.run(unit, part(0), (sources.len() > 1).then(|| part(1)), chunk);
            advance(&mut index, outer);
        }
    }
}

impl Map {
    /// Where rows are too short to be worth beginning: operands are laid out first.
    fn run_gathered(&self, unit: Unit, sources: &[&[f32]], output: &mut [f32]) {
        let n: usize = self.loops.iter().product();
        let gathered: Vec<Vec<f32>> = self
            .operands
            .iter()
            .zip(sources)
            .map(|(operand, source)| {
                let mut laid = vec![0.0; n];
                let mut inside = n;
                let nest = self.loops.iter().zip(&operand.strides);
                let loops: Vec<Loop> = nest
                    .map(|(n, from)| {
                        inside /= n;
                        Loop { n: *n, from: *from, to: inside }
                    })
                    .collect();
                copy(source, &mut laid, &loops);
                laid
            })
            .collect();
        let second = gathered.get(1).map(|laid| (laid.as_slice(), 1));
        self.of.run(unit, (&gathered[0], 1), second, &mut output[..n]);
    }
}

/// A row of numbers at equal distances.
type Row<'r> = (&'r [f32], usize);

impl Function {
    fn run(self, unit: Unit, a: Row<'_>, b: Option<Row<'_>>, to: &mut [f32]) {
        let b = b.unwrap_or((&[0.0], 0));
        match self {
            Self::Add => zip(a, b, to, |a, b| a + b),
            Self::Subtract => zip(a, b, to, |a, b| a - b),
            Self::Multiply => zip(a, b, to, |a, b| a * b),
            Self::Divide => zip(a, b, to, |a, b| a / b),
            Self::Power => match b {
                ([2.0, ..], 0) => zip(a, b, to, |a, _| a * a),
                ([3.0, ..], 0) => zip(a, b, to, |a, _| a * a * a),
                _ => zip(a, b, to, f32::powf),
            },
            Self::Least => zip(a, b, to, f32::min),
            Self::Greatest => zip(a, b, to, f32::max),
            Self::Equal => zip(a, b, to, |a, b| f32::from(u8::from(a == b))),
            Self::Rectify => zip(a, b, to, |a, b| if a < 0.0 { a * b } else { a }),
            Self::Bend(curve) => {
                zip(a, b, to, |a, _| a);
                curve.run(unit, to);
            }
            Self::Negate => zip(a, b, to, |a, _| -a),
            Self::Root => zip(a, b, to, |a, _| a.sqrt()),
            Self::Reciprocal => zip(a, b, to, |a, _| 1.0 / a),
            Self::Sign => zip(a, b, to, |a, _| if a == 0.0 { 0.0 } else { a.signum() }),
            Self::ArcTangent => zip(a, b, to, |a, _| a.atan()),
        }
    }
}

#[inline(always)]
fn zip(a: Row<'_>, b: Row<'_>, to: &mut [f32], of: impl Fn(f32, f32) -> f32) {
    let n = to.len();
    match (a.1, b.1) {
        (1, 1) => {
            let pairs = a.0[..n].iter().zip(&b.0[..n]);
            to.iter_mut().zip(pairs).for_each(|(to, (a, b))| *to = of(*a, *b));
        }
        (1, 0) => to.iter_mut().zip(&a.0[..n]).for_each(|(to, a)| *to = of(*a, b.0[0])),
        (0, 1) => to.iter_mut().zip(&b.0[..n]).for_each(|(to, b)| *to = of(a.0[0], *b)),
        _ => {
            let each = to.iter_mut().enumerate();
            each.for_each(|(i, to)| *to = of(a.0[i * a.1], b.0[i * b.1]));
        }
    }
}

/// Copies along nested loops.
pub(super) fn copy(from: &[f32], to: &mut [f32], loops: &[Loop]) {
    let mut loops = loops.to_vec();
    if let [outer @ .., far, near] = loops.as_slice()
        && (far.from, near.to) == (1, 1)
        && far.to == near.n
        && (2..4).contains(&near.n)
    {
        return braid(from, to, outer, *far, *near);
    }
    // A short loop is not worth its beginning: the longer one goes inside.
    if let [.., far, near] = loops.as_mut_slice()
        && near.n < far.n.min(16)
    {
        std::mem::swap(far, near);
    }
    let Some((inner, outer)) = loops.split_last() else {
        to[0] = from[0];
        return;
    };
    let counts: Vec<usize> = outer.iter().map(|each| each.n).collect();
    let mut index = vec![0usize; outer.len()];
    for _ in 0..counts.iter().product() {
        let place = |side: fn(&Loop) -> usize| -> usize {
            index.iter().zip(outer).map(|(i, each)| i * side(each)).sum()
        };
        let from = &from[place(|each| each.from)..];
        let to = &mut to[place(|each| each.to)..];
        if (inner.from, inner.to) == (1, 1) {
            to[..inner.n].copy_from_slice(&from[..inner.n]);
        } else {
            let to = to.chunks_mut(inner.to.max(1)).take(inner.n);
            match inner.from {
                0 => to.for_each(|to| to[0] = from[0]),
                stride => to.zip(from.chunks(stride)).for_each(|(to, from)| to[0] = from[0]),
            }
        }
        advance(&mut index, &counts);
    }
}

/// Lays two or three rows element by element beside each other.
fn braid(from: &[f32], to: &mut [f32], outer: &[Loop], far: Loop, near: Loop) {
    let counts: Vec<usize> = outer.iter().map(|each| each.n).collect();
    let mut index = vec![0usize; outer.len()];
    for _ in 0..counts.iter().product() {
        let place = |side: fn(&Loop) -> usize| -> usize {
            index.iter().zip(outer).map(|(i, each)| i * side(each)).sum()
        };
        let from = &from[place(|each| each.from)..];
        let row = |which: usize| from[which * near.from..][..far.n].iter();
        let to = &mut to[place(|each| each.to)..][..far.n * near.n];
        if near.n == 2 {
            let (pairs, _) = to.as_chunks_mut::<2>();
            pairs.iter_mut().zip(row(0).zip(row(1))).for_each(|(to, (a, b))| *to = [*a, *b]);
        } else {
            let (triples, _) = to.as_chunks_mut::<3>();
            let rows = row(0).zip(row(1)).zip(row(2));
            triples.iter_mut().zip(rows).for_each(|(to, ((a, b), c))| *to = [*a, *b, *c]);
        }
        advance(&mut index, &counts);
    }
}

fn sum(from: &[f32], outer: &[Run], inner: &[Run], to: &mut [f32]) {
    let counts = |runs: &[Run]| -> Vec<usize> { runs.iter().map(|run| run.n).collect() };
    let place = |index: &[usize], runs: &[Run]| -> usize {
        index.iter().zip(runs).map(|(i, run)| i * run.stride).sum()
    };
    let (outer_counts, inner_counts) = (counts(outer), counts(inner));
    if let [Run { n, stride: 1 }] = outer {
        // Sums side by side grow together.
        let mut totals = vec![0.0f64; *n];
        let mut inside = vec![0usize; inner.len()];
        for _ in 0..inner_counts.iter().product() {
            let from = &from[place(&inside, inner)..][..*n];
            totals.iter_mut().zip(from).for_each(|(total, v)| *total += f64::from(*v));
            advance(&mut inside, &inner_counts);
        }
        to.iter_mut().zip(totals).for_each(|(to, total)| *to = total as f32);
        return;
    }
    let mut at = vec![0usize; outer.len()];
    for to in to.iter_mut().take(outer_counts.iter().product()) {
        let start = place(&at, outer);
        let mut inside = vec![0usize; inner.len()];
        let mut total = 0.0f64;
        for _ in 0..inner_counts.iter().product() {
            total += f64::from(from[start + place(&inside, inner)]);
            advance(&mut inside, &inner_counts);
        }
        *to = total as f32;
        advance(&mut at, &outer_counts);
    }
}

fn softmax(unit: Unit, from: &[f32], n: usize, to: &mut [f32]) {
    let rows = || from.chunks_exact(n);
    for (to, from) in to.chunks_exact_mut(n).zip(rows()) {
        let greatest = from.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        to.iter_mut().zip(from).for_each(|(to, v)| *to = v - greatest);
    }
    Curve::Exp.run(unit, to);
    for to in to.chunks_exact_mut(n) {
        let share = 1.0 / to.iter().sum::<f32>();
        to.iter_mut().for_each(|to| *to *= share);
    }
}

/// The next index of nested loops, the last one fastest.
fn advance(index: &mut [usize], counts: &[usize]) {
    for (i, n) in index.iter_mut().zip(counts).rev() {
        *i += 1;
        if *i < *n {
            return;
        }
        *i = 0;
    }
}

/// Gives each value a piece of memory; pieces are used again once their value has
/// been read for the last time.
fn share(values: &[Value], steps: &[Step], outputs: &[ValueId]) -> (Vec<usize>, Vec<usize>) {
    let mut last = vec![0usize; values.len()];
    for (index, step) in steps.iter().enumerate() {
        step.reads().into_iter().chain([step.writes().value]).for_each(|id| last[id] = index);
    }
    outputs.iter().for_each(|id| last[*id] = steps.len());
    let mut sizes: Vec<usize> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut slots = vec![usize::MAX; values.len()];
    for (index, step) in steps.iter().enumerate() {
        let id = step.writes().value;
        if slots[id] == usize::MAX {
            slots[id] = place(values[id].len, &mut sizes, &mut free);
        }
        for id in step.reads().into_iter().chain([id]) {
            if last[id] == index && slots[id] != usize::MAX && !free.contains(&slots[id]) {
                free.push(slots[id]);
            }
        }
    }
    (sizes, slots)
}

/// The smallest free piece that holds `len`, else the largest made larger.
fn place(len: usize, sizes: &mut Vec<usize>, free: &mut Vec<usize>) -> usize {
    let fits = |slot: &&usize| sizes[**slot] >= len;
    let smallest = free.iter().filter(fits).min_by_key(|slot| sizes[**slot]).copied();
    let chosen = smallest.or_else(|| free.iter().max_by_key(|slot| sizes[**slot]).copied());
    match chosen {
        Some(slot) => {
            free.retain(|other| *other != slot);
            sizes[slot] = sizes[slot].max(len);
            slot
        }
        None => {
            sizes.push(len);
            sizes.len() - 1
        }
    }
}

/// Rows shorter than this are laid out before a function is applied to them.
const SHORT: usize = 16;
/// Numbers that a network may keep between runs: 16 MiB, which is more than any of the face needs.
const KEPT_MAX: usize = 4 << 20;
